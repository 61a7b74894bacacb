"""One job of a run on this machine: taken over from another run or trained, fewer trials at once where memory ends."""

from functools import partial
from typing import Any, NamedTuple

from tl_jax.core.errors import MachineError, out_of_memory
from tl_jax.core.processes import any_of, first, several, told
from tl_jax.run.execute.execution import execution
from tl_jax.run.extend import Donor
from tl_jax.run.kind import Kind
from tl_jax.run.loop import StoppedError, run_job
from tl_jax.run.plan.types import Setup, Task
from tl_jax.run.report.reporter import Reporter, StopRequest
from tl_jax.run.store.live import Live
from tl_jax.run.store.resume import every_job
from tl_jax.run.store.rundir import RunDirectory
from tl_jax.run.store.stops import Stops
from tl_jax.run.work import Work
from tl_jax.training.state import State
from tl_jax.training.trials import Programs, half_as_many


class Running(NamedTuple):
    """A run that goes on: what it is made of, where it is kept, and who listens."""

    kind: Kind
    setup: Setup
    directory: RunDirectory
    reporter: Reporter
    stop: StopRequest
    before: Donor | None = None
    """The run that this one extends."""
    live: Live | None = None

    def holds(self, task: Task, step: int) -> bool:
        """Whether a job is held at a step; the hidden one that it begins from never is."""
        return not self.hidden(task) and 0 < self.setup.options.until <= step

    def hidden(self, task: Task) -> bool:
        """Whether a task is none of the run's own, but trains what one of them begins from."""
        return all(task.job.name != one.job.name for one in self.setup.tasks)


def train(at: Running, task: Task, model: Any = None) -> tuple[State, Programs]:
    """Run one job from where it stands to its end, fewer trials at once where the device has too little memory.

    Raises StoppedError where the user asked to stop, MachineError where there is too little memory for one trial.
    """
    while True:
        try:
            if at.before:
                apart = lambda place, few, model: _attempt(at._replace(directory=place), few, model)[0]
                at.before.grow(at.directory, task, model, apart)
            return _attempt(at, task, model)
        except Exception as error:
            if not out_of_memory(error):
                raise
            _fewer_at_once(at, task, error)


def _fewer_at_once(at: Running, task: Task, error: Exception) -> None:
    """From here on half as many trials at once; the ways agree only to rounding, so not in the middle of a job."""
    directory, name, trials = at.directory, task.job.name, len(task.job.trials)
    mode = half_as_many(directory.manifest(name).mode or "map", trials)
    begun = not directory.manifest(name).empty or Stops(directory.root, name).there
    if mode is None or begun or several():
        why = "It was begun with more trials at once, and goes on so" if mode else "It was tried with one trial at once"
        why = "Several processes do not try fewer trials at once by themselves" if several() else why
        raise MachineError(
            f"{name}: the device has too little memory. {why}. Free it of other work and run the same line again, or "
            f"take a smaller --batch_size or fewer trials of a run (--most in a sweep). ({str(error)[:200]})"
        ) from error
    at.reporter.say(f"{name}: {trials} trials need more memory than the device has at once; from here on {mode}.")
    directory.begin(name, mode)
    directory.show_modes(every_job(at.setup))


def _attempt(at: Running, task: Task, model: Any) -> tuple[State, Programs]:
    _unless_stopped(at, task)
    setup, directory, reporter, job = at.setup, at.directory, at.reporter, task.job
    # How its trials run: as this run began with, since the ways agree only to rounding.
    mode = told(lambda: directory.manifest(job.name).mode)
    if mode is None:
        reporter.at(job.name, 0, "compiling")
    how = execution(task, setup.options, mode)
    _unless_stopped(at, task)
    if mode is None and first():
        directory.begin(job.name, how.mode)
        directory.show_modes(every_job(setup))
    reporter.say(f"{job.name}: {how.reason}")

    def note(step: int, shown: dict[str, float]) -> None:
        detail = " ".join([f"step {step}/{job.steps}", *(f"{k} {v:.3f}" for k, v in shown.items())])
        reporter.at(job.name, step * len(job.trials), detail)

    work = Work(
        kind=at.kind,
        task=task,
        data=how.data,
        feed=how.feed,
        directory=directory,
        build=how.build,
        place=how.placement.state,
        note=note,
        stopping=lambda step: any_of(at.stop.signal is not None) or at.holds(task, step),
        log=partial(at.live.add, job.name) if at.live else lambda lines: None,
        chooses=at.kind.criterion is not None and not at.hidden(task),
    )
    return run_job(work, model)


def _unless_stopped(at: Running, task: Task) -> None:
    if any_of(at.stop.signal is not None):
        raise StoppedError(f"before {task.job.name} went on")
