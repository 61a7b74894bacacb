"""One job from its first step, or from its last checkpoint, to its end."""

import contextlib
import math
import time
from collections.abc import Callable, Generator, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.errors import MachineError, UserError
from tl_jax.core.processes import on_host, several, told
from tl_jax.run.execute import divergence
from tl_jax.run.execute.pace import Pace
from tl_jax.run.plan.types import Task
from tl_jax.run.store.checkpoints import Checkpoints
from tl_jax.run.store.chosen import Chosen
from tl_jax.run.store.resume import standing
from tl_jax.run.store.stops import Stops
from tl_jax.run.work import Now, Saved, Stage, Work, best_so_far, better, stages
from tl_jax.training.freezing import carry_over
from tl_jax.training.state import Data, State
from tl_jax.training.step import Progress
from tl_jax.training.trials import Programs


class StoppedError(Exception):
    """The user asked to stop; the state is saved."""


def run_job(work: Work, model: Any = None) -> tuple[State, Programs]:
    """Train, evaluate and save; returns the final states [T, ...] and the programs they ended with.

    Raises UserError when no trial is finite any more, StoppedError when the user asked to stop.
    """
    parts = stages(work.task.rules, list(work.task.shapes), work.job.steps, work.build)
    root, name = work.directory.root, work.job.name
    saved = Saved(Checkpoints(root, name), Stops(root, name), Chosen(root, name))
    try:
        states = work.place(parts[0].programs.begin(work.task.starts(model), work.data))
        step, stopped = told(lambda: standing(work.directory, work.task, saved.checkpoints, saved.stops))
        if step and work.stopping(step):
            raise StoppedError(f"{work.job.name} at step {step} of {work.job.steps}")
        now = Now(states, step)
        if step:
            now = _restored(work, saved, parts, now, stopped)
        still = on_host(now.states.step) > step
        marks = told(lambda: work.directory.marks(work.job.name) if step else {})
        work.diverged[:] = divergence.so_far(marks, step, still.tolist())
        work.best[:] = told(lambda: best_so_far(work, step))
        work.note(step, {})
        for stage in parts:
            if stage.begin <= now.step < stage.end:
                if now.step == stage.begin and now.step > 0:
                    now = Now(_enter(work, stage, now.states), now.step)
                now = _run_stage(work, stage, now, saved)
    finally:
        saved.checkpoints.close()
    saved.stops.forget()
    return now.states, parts[-1].programs


def _enter(work: Work, stage: Stage, states: State) -> State:
    """States with optimiser state for a stage's trained parameters; moments that exist are kept."""
    fresh = stage.programs.renew(states)
    return work.place(states._replace(opt=carry_over(fresh.opt, states.opt)))


def _restored(work: Work, saved: Saved, parts: list[Stage], fresh: Now, stopped: bool) -> Now:
    """Where a job goes on: as a checkpoint has it, or as a stop found it."""
    stage = next(s for s in parts if s.begin < fresh.step <= s.end)
    like = fresh.states if stage is parts[0] else _enter(work, stage, fresh.states)
    if not stopped:
        return Now(saved.checkpoints.restore(fresh.step, like), fresh.step)
    idle = work.place(stage.programs.idle(like, work.data))
    states, progress = saved.stops.restore(fresh.step, (like, idle))
    return Now(states, fresh.step, progress)


def _run_stage(work: Work, stage: Stage, now: Now, saved: Saved) -> Now:
    refreshes = refresh_every(work.task) if work.job.method.refresh else 0
    idle, pace = work.place(stage.programs.idle(now.states, work.data)), Pace()
    with contextlib.closing(work.feed(now.step)) as windows:
        while now.step < stage.end:
            # The next rows on the device: all of them, unless the set streams.
            here = now._replace(progress=now.progress or idle)
            keep = (lambda here=here: _keep_stop(work, stage, here, saved)) if now.step > stage.begin else None
            end, data = _read(windows, keep)
            while now.step < min(end, stage.end):
                # Memory over the whole target, renewed; `begin` has made it before step 0.
                if refreshes and now.step % refreshes == 0 and now.step > 0:
                    now = now._replace(states=stage.programs.refresh(now.states, work.data.target))
                # To the nearest of evaluation, refresh and end of the stage, by dispatches that end with a window, too.
                report = min(
                    _next(now.step, work.task.every),
                    stage.end,
                    _next(now.step, refreshes) if refreshes else stage.end,
                )
                now = _dispatch(stage, now._replace(progress=now.progress or idle), (min(report, end), data), pace)
                # The sums go on over a dispatch's end: what is reported is of the steps since the last report.
                if now.step == report:
                    now = Now(_report(work, stage, now, saved), now.step)
                else:
                    work.note(now.step, {})
                if work.stopping(now.step) and now.step < work.job.steps:
                    _stop(work, stage, now._replace(progress=now.progress or idle), saved)
            del data  # a window goes when nothing reads it any more, before the next but one comes
    return now


def _read(windows: Generator[tuple[int, Data]], keep: Callable[[], None] | None) -> tuple[int, Data]:
    """The next (first step after it, data); keep: saves what was trained where that cannot be read."""
    try:
        return next(windows)
    except (UserError, MachineError) as error:
        if keep is not None and not several():
            keep()
            error.args = (f"{error} What was trained until then is saved.",)
        raise


def _dispatch(stage: Stage, now: Now, ahead: tuple[int, Data], pace: Pace) -> Now:
    """Train up to a step, or for as many steps as a dispatch has at most; the device is done when this returns.

    The length is an array, so dispatches of any length share one program.
    """
    until, data = ahead
    step = min(until, now.step + pace.steps)
    began = time.perf_counter()
    states, progress = stage.programs.run(now.states, jnp.int32(step), data, now.progress)
    jax.block_until_ready(states)
    seconds = time.perf_counter() - began
    pace.took(step - now.step, told(lambda: seconds))
    return Now(states, step, progress)


def _saves(work: Work, stage: Stage, step: int) -> bool:
    """Whether a checkpoint is due: at evaluations, and where the trained parameters change."""
    return step % work.task.every == 0 or step == stage.end


def _keep_stop(work: Work, stage: Stage, now: Now, saved: Saved) -> None:
    """Save where it stands, unless that is where a checkpoint was due."""
    saved.checkpoints.wait()
    if not _saves(work, stage, now.step):
        saved.stops.save(now.step, (now.states, now.progress))


def _stop(work: Work, stage: Stage, now: Now, saved: Saved) -> None:
    """Save where it stands. Raises StoppedError."""
    _keep_stop(work, stage, now, saved)
    raise StoppedError(f"{work.job.name} at step {now.step} of {work.job.steps}")


def _report(work: Work, stage: Stage, now: Now, saved: Saved) -> State:
    """Evaluate and save where it is time to; the states, refreshed where the method predicts by its memory.

    Raises UserError where no trial is finite any more.
    """
    step, progress = now.step, on_host(now.progress)
    assert progress is not None
    seen, shown, checkpoints = (step, progress), {}, saved.checkpoints
    states = _marked(work, divergence.in_training(progress, step, work.diverged), (now.states, *seen), checkpoints)
    if step % work.task.every == 0 or step == work.job.steps:
        if work.job.method.refresh and work.job.method.predict is not None:
            states = stage.programs.refresh(states, work.data.target)
        # What is stored has no target label in it; scores and choices are made of it afterwards.
        record = work.kind.observe(work.task, stage.programs, states)
        reasons = divergence.in_predictions(record, step, work.diverged)
        states = _marked(work, reasons, (states, *seen), checkpoints)
        # Records before the state: a kill between them repeats an evaluation and loses none.
        shown = _keep(work, record, step, progress)
        if work.chooses and step < work.job.steps:  # the last step has its checkpoint
            saved.chosen.put(step, told(lambda: better(work, record)), states)
    if _saves(work, stage, step):
        checkpoints.save(step, states)
    work.note(step, shown)
    return states


def _marked(work: Work, reasons: divergence.Reasons, now: tuple, checkpoints: Checkpoints) -> State:
    """The states with newly diverged trials standing still. Raises UserError where no trial is left."""
    states, step, progress = now
    if reasons == work.diverged:
        return states
    divergence.check_one_is_left(work.task, reasons, progress, checkpoints.last_step())
    work.directory.keep_marks(work.job.name, step, reasons)
    work.diverged[:] = reasons
    return work.place(divergence.standing_still(states, reasons, work.job.steps))


def refresh_every(task: Task) -> int:
    """Steps between refreshes: the method's own number, or one pass over the target."""
    return task.job.method.refresh_every or math.ceil(len(task.problem.target.train.y) / task.config.batches[1])


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
    work.log(lines)
    return {"loss": float(np.mean(progress.means["total"][np.array(alive)]))}
