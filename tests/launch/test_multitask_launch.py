"""The multi-task launch script as a person meets it."""

import json
import os
from functools import partial

import pytest
from launched import launched

TINY = [
    "--network=mlp(hidden=(16,),bottleneck=0)",
    "--steps=8",
    "--eval_every=4",
    "--seeds=1",
    "--devices=1",
    "--nopictures",
]


launch = partial(launched, "multitask")


def test_help_lists_what_concerns_several_tasks():
    done = launch("--help")
    assert done.returncode == 0
    for flag in ("task", "strategy", "sharing", "seeds", "sweep", "freeze", "forward_plan", "dry_run"):
        assert f"\n  --{flag}\n" in done.stdout
    for flag in ("method", "lam", "labels_per_class", "select"):
        assert f"\n  --{flag}\n" not in done.stdout


@pytest.mark.parametrize(
    ("mistake", "message"),
    [
        ("--task=digits:parrity", "Did you mean 'digits:parity'?"),
        ("--strategy=cagard", "Did you mean 'cagrad'?"),
        ("--strategy=cagrad(d=1)", "has no argument 'd'"),
        ("--sharing=mmoe(expert=2)", "Did you mean 'experts'?"),
        ("--method=dann", "Unknown flag --method"),
    ],
)
def test_a_mistake_exits_with_two_and_one_message(mistake, message, tmp_path):
    done = launch(mistake, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert message in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_dry_run_and_a_list_of_parameters_write_nothing(tmp_path):
    done = launch(*TINY, "--strategy=equal", "--freeze=head/digits:mass/*=frozen", "--dry_run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert '"kind": "multitask"' in done.stdout
    assert "frozen: 2 arrays" in done.stdout
    done = launch(*TINY, "--strategy=db_mtl", "--freeze=backbone/*=0.1", "--list_params", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line.split()[-1] for line in done.stdout.splitlines() if "/" in line}
    assert lines["backbone/dense1/kernel"] == "x0.1"
    assert lines["head/digits:printed/kernel"] == "x1"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow  # the kind's own tests run it, and other scripts the door
def test_the_embedded_tasks_end_in_a_table(tmp_path):
    flags = [*TINY, "--strategy=single", "--strategy=upgrad"]
    done = launch(*flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    (run_dir,) = os.listdir(tmp_path / "runs")
    records = json.loads((tmp_path / "runs" / run_dir / "results.json").read_text())
    assert len(records) == 5
    assert "Δp % (higher is better)" in done.stdout
    assert "This run is complete" in launch(*flags, cwd=tmp_path).stdout
