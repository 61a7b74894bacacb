"""A run that kills itself with SIGKILL at a named moment: python killed.py RUN_DIR MOMENT KIND."""

import os
import signal
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(__file__)))

from tiny import FAST, SOURCE, TARGET

import tl_jax
from tl_jax.run import loop
from tl_jax.run.store import checkpoints, rundir

run_dir, moment, kind = sys.argv[1:]
SETTINGS = {"seeds": 2, "run_dir": run_dir, "devices": 1, "trials": "map", **FAST}


def die(*_: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def after_calls(target: object, name: str, calls: int, before: bool = False) -> None:
    """Die at the given call of target.name: before it begins, or as soon as it returns."""
    original, seen = getattr(target, name), [0]

    def counted(*args, **kwargs):
        seen[0] += 1
        if before and seen[0] == calls:
            die()
        result = original(*args, **kwargs)
        if seen[0] == calls:
            die()
        return result

    setattr(target, name, counted)


MOMENTS = {
    "never": lambda: None,
    "during a save": lambda: after_calls(checkpoints.Checkpoints, "save", 2),
    "during the last save of a job": lambda: after_calls(checkpoints.Checkpoints, "save", 8),
    "between record and checkpoint": lambda: after_calls(loop, "_keep", 6),
    "before a file is renamed": lambda: after_calls(os, "replace", 9, before=True),
    "after the first job": lambda: after_calls(checkpoints.Checkpoints, "close", 1),
    "while results are written": lambda: after_calls(rundir.RunDirectory, "records", 2),
}

RUNS = {
    "transductive": lambda: tl_jax.fit(SOURCE, TARGET, ["mcd", "shot"], **SETTINGS),
    "unsupervised": lambda: tl_jax.fit(SOURCE, TARGET, ["byol", "pixels"], kind="unsupervised", **ALIGNED, **SETTINGS),
    "multitask": lambda: tl_jax.fit_tasks([SOURCE, TARGET], ["single", "famo"], **SETTINGS),
}
ALIGNED = {"align": ("none", "coral"), "view": "strong"}

if __name__ == "__main__":
    MOMENTS[moment]()
    RUNS[kind]()
