"""What the loop of a job goes by: its stages, where it stands, what is saved of it, and what it needs."""

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tl_jax.run.execute import divergence
from tl_jax.run.execute.execution import Feed
from tl_jax.run.kind import Kind
from tl_jax.run.plan.jobs import Job
from tl_jax.run.plan.types import Task
from tl_jax.run.store.checkpoints import Checkpoints
from tl_jax.run.store.chosen import Chosen
from tl_jax.run.store.rundir import RunDirectory
from tl_jax.run.store.stops import Stops
from tl_jax.training.freezing import Rule, boundaries, resolve
from tl_jax.training.state import Data, State
from tl_jax.training.step import Progress
from tl_jax.training.trials import Programs


class Stage(NamedTuple):
    """Steps [begin, end) with one set of trained parameters."""

    begin: int
    end: int
    factors: Mapping[str, float]
    programs: Programs


class Now(NamedTuple):
    """Where a job stands: its states after a step, and the progress since the last report, if there is any."""

    states: State
    step: int
    progress: Progress | None = None


class Saved(NamedTuple):
    """What is kept of a job: its state at every evaluation, where a stop found it, and what its criterion prefers."""

    checkpoints: Checkpoints
    stops: Stops
    chosen: Chosen


@dataclass(frozen=True)
class Work:
    """Everything one job needs.

    data: what training begins from; feed(step) -> (first step after it, data), ...: what it goes on with.
    build(factors) -> programs; place(states) -> states on their devices; note(step, shown) reports progress;
    stopping(step) -> whether it is to stop there; log(lines) hears the metrics of an evaluation once they are stored.
    chooses: whether a step of it is chosen by the kind's criterion.
    diverged: why a trial stands still, one entry a trial; best: the highest score of each so far.
    """

    kind: Kind
    task: Task
    data: Data
    feed: Feed
    directory: RunDirectory
    build: Callable[[Mapping[str, float]], Programs]
    place: Callable[[Any], Any]
    note: Callable[[int, dict[str, float]], None]
    stopping: Callable[[int], bool]
    chooses: bool = False
    log: Callable[[list[dict[str, Any]]], None] = lambda lines: None
    diverged: divergence.Reasons = field(default_factory=list)
    best: list[float | None] = field(default_factory=list)

    @property
    def job(self) -> Job:
        return self.task.job


def stages(rules: tuple[Rule, ...], paths: list[str], total: int, build: Callable) -> list[Stage]:
    """The run cut where the trained parameters change; usually one stage."""
    cuts = [0, *(b for b in boundaries(rules) if b < total), total]
    parts = []
    for begin, end in itertools.pairwise(cuts):
        factors = resolve(rules, paths, begin)
        parts.append(Stage(begin, end, factors, build(factors)))
    return parts


def better(work: Work, record: Mapping[str, np.ndarray]) -> list[bool]:
    """Which trials the criterion prefers to all that it has seen of them; of equal scores the later step."""
    marks = {divergence.MARK: np.array(work.diverged)} if any(work.diverged) else {}
    assert work.kind.criterion is not None
    scores = work.kind.criterion(work.task, {**marks, **record})
    pairs = zip(scores, work.best, strict=True)
    higher = [score is not None and (best is None or score >= best) for score, best in pairs]
    work.best[:] = [score if so else best for score, best, so in zip(scores, work.best, higher, strict=True)]
    return higher


def best_so_far(work: Work, step: int) -> list[float | None]:
    """The highest score of every trial up to a step, by what is stored."""
    work.best[:] = [None] * len(work.job.trials)
    for at in work.task.evaluations if work.chooses and step < work.job.steps else ():
        if at <= step:
            better(work, work.directory.record(work.job.name, at))
    return list(work.best)
