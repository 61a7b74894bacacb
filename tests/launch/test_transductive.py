"""The launch script as a person meets it."""

import json
import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest
from launched import launched

TINY = [
    "--network=mlp(hidden=(16,),bottleneck=8)",
    "--steps=8",
    "--eval_every=4",
    "--seeds=1",
    "--devices=1",
    "--nopictures",
]
PAIR = ["--source=digits:printed", "--target=digits:handwritten"]


launch = partial(launched, "transductive")


def test_help_lists_the_flags_and_exits_with_zero():
    command = [sys.executable, "-m", "launch.transductive", "--help"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0
    for flag in ("source", "target", "network", "method", "lam", "seeds", "sweep", "freeze", "forward_plan", "dry_run"):
        assert f"\n  --{flag}\n" in done.stdout
    assert "orbax" not in done.stdout


MISTAKES = {
    "--lamda=1": "Unknown flag --lamda. Did you mean --lam?",
    "--steps=many": "steps=many",
    "--seeds=three": "give a count such as 3, or a list such as 4,7",
    "--sweep=lam": "write name=value,value,...",
    "--freeze=head": "write pattern=frozen",
    "--platform=gpu": "--platform=gpu was asked for but JAX",
    "--platform=abacus": "abacus",
    "--select=oracle": "uses target labels",
    "dann": "'dann' is not a flag",
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_exits_with_two_and_one_message(mistake, tmp_path):
    done = launch(mistake, cwd=tmp_path)
    assert done.returncode == 2, done.stderr
    assert MISTAKES[mistake] in done.stderr
    assert "Traceback" not in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_a_flag_of_one_value_takes_one(tmp_path):
    for given, words in (
        (("--lr=0.1", "--lr", "0.2"), "--lr is given more than once"),
        (("--target=digits:photo", "--target=digits:handwritten"), "--target is given more than once"),
        (("--lam=3", "--sweep=lam=0.1,1"), "--lam and --sweep=lam both say what it is"),
    ):
        done = launch(*TINY, *given, f"--run_dir={tmp_path}/run")
        assert (done.returncode, done.stdout) == (2, "")
        assert words in done.stderr
    assert not (tmp_path / "run").exists()


def test_a_dry_run_says_everything_and_writes_nothing(tmp_path):
    done = launch(*PAIR, *TINY, "--method=shot", "--freeze=backbone/*=frozen", "--dry_run", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    counts = ("trained: 4 arrays", "frozen: 4 arrays", "after 8 steps of 'shot: source model'")
    for part in ('"forward_plan": "per_domain"', *counts, "on the device:"):
        assert part in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_list_params_shows_paths_and_factors(tmp_path):
    done = launch(*TINY, "--method=dann", "--freeze=backbone/*=0.1", "--list_params", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    lines = {line.split()[0]: line.split()[-1] for line in done.stdout.splitlines() if "/" in line}
    assert lines["backbone/dense1/kernel"] == "x0.1"
    assert lines["method/discriminator/dense0/kernel"] == "x1"


def test_interrupted_then_run_again(tmp_path):
    """Ctrl-C saves; the same line goes on and ends; the same line once more says that it is complete."""
    shorter = [one for one in TINY if not one.startswith(("--steps", "--eval_every"))]
    flags = [*PAIR, *shorter, "--method=mcc", "--steps=1500", "--eval_every=50"]
    command = [sys.executable, "-m", "launch.transductive", *flags]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    checkpoints = lambda: list(tmp_path.glob("runs/*/checkpoints/mcc/[0-9]*"))
    limit = time.monotonic() + 120
    while not checkpoints() and time.monotonic() < limit:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 130, output
    assert "Stopping here, state saved" in output
    assert "stopped: mcc at step" in output

    again = launch(*flags, cwd=tmp_path)
    assert again.returncode == 0, again.stderr
    (run_dir,) = os.listdir(tmp_path / "runs")
    (record,) = json.loads((tmp_path / "runs" / run_dir / "results.json").read_text())
    assert record["selectors"]["last"]["step"] == 1500
    assert "This run is complete" in launch(*flags, cwd=tmp_path).stdout


def test_a_damaged_checkpoint_is_named_and_the_one_before_it_used(tmp_path):
    """In a process of its own: Orbax leaves the errors of its other reads to whoever collects the garbage."""
    flags = [*PAIR, *TINY, "--method=source_only", "--run_dir=run"]
    assert launch(*flags, cwd=tmp_path).returncode == 0
    results = (tmp_path / "run" / "results.json").read_bytes()
    (tmp_path / "run" / "records" / "source_only" / "features.npz").unlink()
    for path in (tmp_path / "run" / "checkpoints" / "source_only" / "8").rglob("*"):
        if path.is_file() and "_METADATA" not in path.name:
            path.write_bytes(b"")
    done = launch(*flags, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "source_only was finished, but features.npz of it is lost or damaged: made again." in done.stderr
    assert "source_only: the checkpoint of step 8 is damaged" in done.stderr
    assert (tmp_path / "run" / "results.json").read_bytes() == results
