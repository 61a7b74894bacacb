"""A worker of a sweep: its exit codes, what it keeps of a failure, and one sweep for real."""

import json
import os
import signal
import subprocess
import sys

import pytest

from tl_jax.core.errors import BusyError, DivergedError, UserError
from tl_jax.kinds import table
from tl_jax.run.settings.config import Config
from tl_jax.sweep import worker
from tl_jax.sweep.directory import Plan, SweepDirectory
from tl_jax.sweep.plan import Run
from tl_jax.sweep.tables.collect import collect
from tl_jax.sweep.tables.pivot import Asked, pivot

TINY = Config(
    source=("digits:handwritten",),
    target="digits:photo",
    network="mlp(bottleneck=8, hidden=(8,))",
    methods=("dann",),
    sweep=(("lam", (0.1, 1.0)),),
    seeds=(0, 1),
    steps=4,
    eval_every=2,
    batch_size=16,
)


@pytest.fixture(autouse=True)
def _handlers():
    """The worker sets handlers for a process of its own."""
    before = {number: signal.getsignal(number) for number in worker._heard()}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def planned(root, config=TINY, names=("a",)) -> SweepDirectory:
    sweep = SweepDirectory(root)
    options = {"devices": 1, "quiet": True, "pictures": False}
    sweep.keep(Plan(Config(), options, "", tuple(Run(name, config, 4) for name in names)))
    return sweep


def test_a_sweep_for_real(tmp_path):
    sweep = planned(tmp_path / "s")
    assert worker.main([str(sweep.root), "a"]) == 0
    assert sweep.state("a").state == "finished"
    assert not list(sweep.run("a").glob("*.png"))
    found = collect([sweep.root])
    assert {(row["lam"], row["seed"]) for row in found.rows} == {(0.1, 0), (0.1, 1), (1.0, 0), (1.0, 1)}
    assert json.loads((sweep.run("a") / "finished.json").read_text())["records"] == 4
    cell = pivot(found.rows, Asked(best=("lam",))).cells[("dann",), ("digits:handwritten -> digits:photo",)]
    assert len(cell.scores) == 2
    assert cell.tried == 2


class Found:
    def __init__(self, complete, stopped=False):
        self.complete, self.stopped = complete, stopped


ENDS = {
    "done": (lambda: Found(True), 0, ""),
    "stopped": (lambda: Found(False), 75, ""),
    "in use": (BusyError("in use"), 75, ""),
    "a mistake": (UserError("Unknown method."), 2, "Unknown method."),
    "diverged": (DivergedError("step 3: term 'total' is nan"), 2, "step 3: term 'total' is nan"),
    "a crash": (RuntimeError("boom"), 1, "RuntimeError: boom"),
}


@pytest.mark.parametrize("end", ENDS)
def test_an_exit_code_says_what_is_to_be_done(end, tmp_path, monkeypatch, capsys):
    what, code, message = ENDS[end]

    def run(config, options, domains):
        if isinstance(what, Exception):
            raise what
        return what()

    monkeypatch.setattr(table, "run", run)
    sweep = planned(tmp_path / "s", names=("a", "b"))
    assert worker.main([str(sweep.root), "a", "b"]) == code
    kept = sweep.failure("a")
    assert kept.exists() == bool(message)
    if message:
        assert json.loads(kept.read_text())["message"].startswith(message)
        assert json.loads(kept.read_text())["diverged"] == (end == "diverged")
        assert sweep.failure("b").exists()  # the next run was tried all the same


@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT", "SIGUSR1", "SIGHUP"])
def test_a_signal_before_a_run_listens_ends_the_process_with_75(name, tmp_path, monkeypatch):
    signal.signal(getattr(signal, name), signal.SIG_DFL)  # a process in the background ignores some, and so stays
    monkeypatch.setattr(worker, "one", lambda *_, **__: os.kill(os.getpid(), getattr(signal, name)))
    with pytest.raises(SystemExit) as raised:
        worker.main([str(tmp_path), "a"])
    assert raised.value.code == 75


def test_a_stop_that_finds_a_run_complete_begins_no_other_and_is_nothing_after_the_last(tmp_path, monkeypatch):
    begun = []
    monkeypatch.setattr(table, "run", lambda config, *_: begun.append(config) or Found(True, stopped=True))
    sweep = planned(tmp_path / "s", names=("a", "b"))
    assert worker.main([str(sweep.root), "a", "b"]) == 75
    assert len(begun) == 1
    assert worker.main([str(sweep.root), "b"]) == 0


def test_a_worker_listens_before_jax_is_loaded():
    code = (
        "import signal, sys, tl_jax.sweep.worker as worker\n"
        "worker.argparse.ArgumentParser = lambda **_: sys.exit('jax' in sys.modules or signal.getsignal(15) == 0)\n"
        "worker.main([])"
    )
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0
