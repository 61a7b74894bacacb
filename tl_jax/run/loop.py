"""One job from its first step, or from its last checkpoint, to its end."""

import contextlib
import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.run.execute import divergence
from tl_jax.run.execute.execution import Feed
from tl_jax.run.execute.streaming import none_yet
from tl_jax.run.kind import Kind
from tl_jax.run.plan.jobs import Job
from tl_jax.run.plan.types import Task
from tl_jax.run.store.checkpoints import Checkpoints
from tl_jax.run.store.resume import standing
from tl_jax.run.store.rundir import RunDirectory
from tl_jax.training.freezing import Rule, boundaries, carry_over, resolve
from tl_jax.training.state import Data, State
from tl_jax.training.step import Progress
from tl_jax.training.trials import Programs


class StoppedError(Exception):
    """The user asked to stop; the state is saved."""


class Stage(NamedTuple):
    """Steps [begin, end) with one set of trained parameters."""

    begin: int
    end: int
    factors: Mapping[str, float]
    programs: Programs


@dataclass(frozen=True)
class Work:
    """Everything one job needs.

    data: what training begins from; feed(step) -> (first step after it, data), ...: what it goes on with.
    build(factors) -> programs; place(states) -> states on their devices; note(job, step, shown) reports
    progress and says whether the user asked to stop. diverged: why a trial stands still, one entry a trial.
    """

    kind: Kind
    task: Task
    data: Data
    feed: Feed
    directory: RunDirectory
    build: Callable[[Mapping[str, float]], Programs]
    place: Callable[[Any], Any]
    note: Callable[[str, int, dict[str, float]], bool]
    diverged: divergence.Reasons = field(default_factory=list)

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


def run_job(work: Work, model: Any = None) -> tuple[State, Programs]:
    """Train, evaluate and save; returns the final states [T, ...] and the programs they ended with.

    Raises UserError when no trial is finite any more, StoppedError when the user asked to stop.
    """
    parts = stages(work.task.rules, list(work.task.shapes), work.job.steps, work.build)
    checkpoints = Checkpoints(work.directory.root, work.job.name)
    try:
        states = work.place(parts[0].programs.begin(work.task.starts(model), work.data))
        step = standing(work.directory, work.task, checkpoints)
        if step:
            states = _restored(work, checkpoints, parts, states, step)
        earlier = work.directory.records(work.job.name) if step else {}
        work.diverged[:] = divergence.so_far(earlier, step, len(work.job.trials))
        work.note(work.job.name, step, {})
        for stage in parts:
            if stage.begin <= step < stage.end:
                if step == stage.begin and step > 0:
                    states = _enter(work, stage, states)
                states, step = _run_stage(work, stage, (states, step), checkpoints)
        return states, parts[-1].programs
    finally:
        checkpoints.close()


def _enter(work: Work, stage: Stage, states: State) -> State:
    """States with optimiser state for a stage's trained parameters; moments that exist are kept."""
    fresh = stage.programs.renew(states)
    return work.place(states._replace(opt=carry_over(fresh.opt, states.opt)))


def _restored(work: Work, checkpoints: Checkpoints, parts: list[Stage], like: State, step: int) -> State:
    stage = next(s for s in parts if s.begin < step <= s.end)
    if stage is not parts[0]:
        like = _enter(work, stage, like)
    return checkpoints.restore(step, like)


def _run_stage(work: Work, stage: Stage, now: tuple[State, int], checkpoints: Checkpoints) -> tuple[State, int]:
    states, step = now
    refreshes = refresh_every(work.task) if work.job.method.refresh else 0
    with contextlib.closing(work.feed(step)) as windows:
        progress = None
        while step < stage.end:
            # The next rows on the device: all of them, unless the set streams.
            end, data = next(windows)
            while step < min(end, stage.end):
                # Memory over the whole target, renewed; `begin` has made it before step 0.
                if refreshes and step % refreshes == 0 and step > 0:
                    states = stage.programs.refresh(states, work.data.target)
                # One dispatch, to the nearest of evaluation, refresh, end of the stage, end of the window. Its length
                # is an array, so calls of any length share one program.
                target = min(
                    _next(step, work.task.every), stage.end, _next(step, refreshes) if refreshes else stage.end
                )
                progress = progress or none_yet(stage.programs.run, states, data)
                step = min(target, end)
                states, progress = stage.programs.run(states, jnp.int32(step), data, progress)
                # The sums go on over a window's end: what is reported is of the steps since the last report.
                if step == target:
                    states = _report(work, stage, (states, step, jax.device_get(progress)), checkpoints)
                    progress = None
            jax.block_until_ready(states)  # a window goes when nothing reads it any more, before the next but one comes
            del data
    return states, step


def _report(work: Work, stage: Stage, now: tuple[State, int, Progress], checkpoints: Checkpoints) -> State:
    """Evaluate and save where it is time to; the states, refreshed where the method predicts by its memory.

    Raises UserError where no trial is finite any more, StoppedError if the user asked to stop.
    """
    states, step, progress = now
    states = _marked(work, divergence.in_training(progress, step, work.diverged), now, checkpoints)
    stop = False
    if step % work.task.every == 0 or step == work.job.steps:
        if work.job.method.refresh and work.job.method.predict is not None:
            states = stage.programs.refresh(states, work.data.target)
        # What is stored has no target label in it; scores and choices are made of it afterwards.
        record = work.kind.observe(work.task, stage.programs, states)
        reasons = divergence.in_predictions(record, step, work.diverged)
        states = _marked(work, reasons, (states, step, progress), checkpoints)
        # Records before the state: a kill between them repeats an evaluation and loses none.
        shown = _keep(work, record, step, progress)
        checkpoints.save(step, states)
        stop = work.note(work.job.name, step, shown)
    elif step == stage.end:
        checkpoints.save(step, states)
    if stop and step < work.job.steps:
        checkpoints.wait()
        raise StoppedError(f"{work.job.name} at step {step} of {work.job.steps}")
    return states


def _marked(work: Work, reasons: divergence.Reasons, now: tuple, checkpoints: Checkpoints) -> State:
    """The states with newly diverged trials standing still. Raises UserError where no trial is left."""
    states, _, progress = now
    if reasons == work.diverged:
        return states
    divergence.check_one_is_left(work.task, reasons, progress, checkpoints.last_step())
    work.diverged[:] = reasons
    return work.place(divergence.standing_still(states, reasons, work.job.steps))


def refresh_every(task: Task) -> int:
    """Steps between refreshes: the method's own number, or one pass over the target."""
    return task.job.method.refresh_every or math.ceil(len(task.problem.target.train.y) / task.config.batch_size)


def _next(step: int, every: int) -> int:
    return (step // every + 1) * every


def _keep(work: Work, record: Mapping[str, np.ndarray], step: int, progress: Progress) -> dict[str, float]:
    """Store what the kind of transfer observed, and one metrics line a trial that is finite."""
    scores = work.kind.score(work.task, record)
    marks = {divergence.MARK: np.array(work.diverged)} if any(work.diverged) else {}
    lines, alive = [], [i for i, reason in enumerate(work.diverged) if not reason]
    for i in alive:
        seed, values = work.job.trials[i]
        means = {name: float(value[i]) for name, value in progress.means.items()}
        line = {"job": work.job.name, "step": step, "seed": seed, "values": dict(values), **means}
        lines.append({**line, **{name: values[i] for name, values in scores.items()}})
    work.directory.keep_record(work.job.name, step, {**record, **marks}, lines)
    return {"loss": float(np.mean(progress.means["total"][np.array(alive)]))}
