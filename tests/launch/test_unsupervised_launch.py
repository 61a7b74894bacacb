"""The launch script of unsupervised transfer as a person meets it."""

from functools import partial

import pytest
from launched import launched

TINY = [
    "--network=mlp(hidden=(16,),bottleneck=8)",
    "--steps=4",
    "--eval_every=2",
    "--seeds=1",
    "--devices=1",
    "--nopictures",
]


launch = partial(launched, "unsupervised")


def test_help_lists_the_flags(tmp_path):
    done = launch("--help", cwd=tmp_path)
    assert done.returncode == 0
    for flag in ("source", "target", "pretrain_on", "align", "method", "sweep", "dry_run"):
        assert f"\n  --{flag}\n" in done.stdout
    assert "barlow_twins" in done.stdout


@pytest.mark.parametrize(
    ("mistake", "message"),
    [("--align=corral", "Did you mean 'coral'?"), ("--pretrain_on=all", "pretrain_on"), ("--method=dann", "'dann'")],
)
def test_a_mistake_exits_with_two_and_one_message(mistake, message, tmp_path):
    done = launch(*TINY, mistake, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_says_everything_and_writes_nothing(tmp_path):
    done = launch(*TINY, "--method=simclr", "--method=pixels", "--align=dann", "--dry_run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    for part in ('"pretrain_on": "both"', "simclr + dann: 1 trials of 4 steps", "pixels: 1 trials of 1 steps", "MiB"):
        assert part in done.stdout
    assert "method/discriminator/dense0/kernel" in done.stdout
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow  # the kind's own tests run it, and other scripts the door
def test_a_run_ends_with_its_table_and_the_same_line_again_says_so(tmp_path):
    flags = [*TINY, "--method=simclr", "--align=none", "--run_dir=run"]
    done = launch(*flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "retrieval: mAP" in done.stdout
    assert (tmp_path / "run" / "simclr.safetensors").exists()
    assert "This run is complete" in launch(*flags, cwd=tmp_path).stdout
