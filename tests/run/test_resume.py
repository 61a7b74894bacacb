"""Kill a run at any moment, run the same line again: the same results, to the bit."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = Path(__file__).with_name("killed.py")
SLOW = pytest.mark.slow  # two processes each; CI runs them all
MOMENTS = [
    "between record and checkpoint",
    *(
        pytest.param(moment, marks=SLOW)
        for moment in (
            "during a save",
            "during the last save of a job",
            "before a file is renamed",
            "after the first job",
            "while results are written",
        )
    ),
]
LATER = ["between record and checkpoint", "during a save", "before a file is renamed", "after the first job"]


def start(run_dir, moment: str, kind: str = "transductive") -> subprocess.Popen:
    return subprocess.Popen([sys.executable, str(SCRIPT), str(run_dir), moment, kind], stderr=subprocess.PIPE)


def finish(run_dir, kind: str = "transductive") -> bytes:
    process = start(run_dir, "never", kind)
    _, errors = process.communicate()
    assert process.returncode == 0, errors.decode()
    selected = sorted(run_dir.glob("selected/*"))
    return (run_dir / "results.json").read_bytes() + b"".join(path.read_bytes() for path in selected)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory) -> bytes:
    return finish(tmp_path_factory.mktemp("undisturbed") / "run")


@pytest.mark.parametrize("moment", MOMENTS)
def test_killed_and_run_again_gives_the_same_results(moment, undisturbed, tmp_path):
    process = start(tmp_path / "run", moment)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert finish(tmp_path / "run") == undisturbed


@pytest.fixture(scope="module", params=["unsupervised", "multitask"])
def other_kind(request, tmp_path_factory) -> tuple[str, bytes]:
    return request.param, finish(tmp_path_factory.mktemp(request.param) / "run", request.param)


@SLOW
@pytest.mark.parametrize("moment", LATER)
def test_the_other_kinds_resume_as_well(moment, other_kind, tmp_path):
    kind, undisturbed = other_kind
    process = start(tmp_path / "run", moment, kind)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert finish(tmp_path / "run", kind) == undisturbed


@SLOW
def test_killed_at_a_random_moment(undisturbed, tmp_path):
    """The wait is printed, so that a failure can be repeated."""
    wait = random.uniform(2.0, 8.0)
    print(f"killed after {wait:.3f} s")
    process = start(tmp_path / "run", "never")
    time.sleep(wait)
    process.kill()
    process.communicate()
    assert finish(tmp_path / "run") == undisturbed


def test_a_finished_run_is_left_as_it_is(undisturbed, tmp_path):
    run_dir = tmp_path / "run"
    finish(run_dir)
    kept = ("results.json", "metrics.jsonl", "records/shot/00000024.npz", "table.md")
    before = {name: (run_dir / name).read_bytes() for name in kept}
    assert finish(run_dir) == undisturbed
    assert {name: (run_dir / name).read_bytes() for name in kept} == before
