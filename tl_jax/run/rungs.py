"""A run that is held at a step: what its criterion says there, for whoever decides whether it goes on."""

from pathlib import Path
from typing import NamedTuple

import numpy as np

from tl_jax.core.sealed import opened, seal
from tl_jax.run.execute import divergence
from tl_jax.run.kind import Kind
from tl_jax.run.plan.types import Setup
from tl_jax.run.store.rundir import RunDirectory, bring

FOLDER = "rungs"


class Rung(NamedTuple):
    """scores: one a trial, higher is better, without a target label; None where the criterion refuses.

    diverged: how many trials did, of which there is no score either.
    """

    scores: tuple[float | None, ...]
    diverged: int

    @property
    def mean(self) -> float | None:
        """None unless every trial has a score."""
        known = [score for score in self.scores if score is not None]
        return float(np.mean(known)) if known and len(known) == len(self.scores) else None


def keep(kind: Kind, setup: Setup, directory: RunDirectory) -> None:
    """Write RUN/rungs/STEP.json where a run is held, once its evaluation there is stored; what is finished earlier is
    judged by its end."""
    until, scores, diverged = setup.options.until, list[float | None](), 0
    if not until or kind.criterion is None:
        return
    for task in setup.tasks:
        observed = directory.record(task.job.name, min(until, task.job.steps))
        if not observed:
            return
        scores += kind.criterion(task, observed)
        diverged += sum(bool(divergence.described(observed, i)) for i in range(len(task.job.trials)))
    content = {"step": until, "criterion": setup.config.select, "scores": scores, "diverged": diverged}
    bring(path(directory.root, until), (seal(content) + "\n").encode())


def read(root: Path, step: int) -> Rung | None:
    """What was said of a run at a step; None where it has not come there, or the file is not as it was written."""
    try:
        found = opened(path(root, step).read_bytes())
    except (OSError, ValueError):
        return None
    return Rung(tuple(found["scores"]), found["diverged"])


def path(root: Path, step: int) -> Path:
    """Where that is kept."""
    return root / FOLDER / f"{step:08d}.json"
