"""A whole run: every job of a config, then results, table and pictures. Every launch script ends here."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from tl_jax.core.errors import MachineError, machine_faults, out_of_memory
from tl_jax.core.processes import any_of, first, here, several, together, told
from tl_jax.data.domain import Domain
from tl_jax.models.weights import File
from tl_jax.run import rungs
from tl_jax.run.conclude import FINISHED, Result, conclude
from tl_jax.run.execute.begin import from_file, head_of, on_features, pretrained
from tl_jax.run.execute.execution import check_bytes, execution
from tl_jax.run.extend import Donor, donor
from tl_jax.run.kind import Kind
from tl_jax.run.loop import StoppedError, run_job
from tl_jax.run.plan.effects import without_effect
from tl_jax.run.plan.prepare import prepare
from tl_jax.run.plan.problem import describe
from tl_jax.run.plan.types import Options, Setup, Task
from tl_jax.run.report.reporter import Reporter, StopRequest
from tl_jax.run.settings.config import Config
from tl_jax.run.store.claim import taken
from tl_jax.run.store.environment import note_environment
from tl_jax.run.store.names import readable
from tl_jax.run.store.resume import every_job, inspect
from tl_jax.run.store.rundir import FEATURES, RunDirectory, packed
from tl_jax.run.store.stops import Stops
from tl_jax.run.work import Work
from tl_jax.training.predict import averaged
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

    def holds(self, task: Task, step: int) -> bool:
        """Whether a job is held at a step; the hidden one that it begins from never is."""
        hidden = all(task.job.name != one.job.name for one in self.setup.tasks)
        return not hidden and 0 < self.setup.options.until <= step


def default_run_dir(config: Config) -> Path:
    """A directory of its own for every configuration, so that the same command finds its run again."""
    origin = readable("+".join(config.source) or Path(config.init_from).name)
    named = "-".join(filter(None, (config.kind, origin, readable(config.target))))
    return Path("runs") / f"{readable(named)}-{config.digest()}"


def set_up(
    kind: Kind, config: Config, options: Options, domains: Mapping[str, Domain], *, file: File | None = None
) -> Setup:
    """A config of a kind as a setup that fits this machine; file: the weights of a run that it begins from.

    Raises UserError; nothing is written.
    """
    setup = prepare(kind.planning, config, options, domains, file=file)
    for task in setup.tasks:
        check_bytes(task, options)
    return setup


def run(
    kind: Kind, config: Config, options: Options, domains: Mapping[str, Domain], *, file: File | None = None
) -> Result:
    """Train what is not finished, evaluate, report; file: as in `set_up`.

    Raises UserError for mistakes, before writing anything; BusyError where another process has the run directory;
    MachineError for a full disk and its like.
    """
    setup = together(lambda: set_up(kind, config, options, domains, file=file))
    root = Path(options.run_dir) if options.run_dir else default_run_dir(setup.config)
    reading = replace(options, devices=1, extend="", run_dir="")
    before = donor(setup, root, lambda theirs: set_up(kind, theirs, reading, domains, file=file))
    with machine_faults(root), taken(root, setup) as accepted:
        return _run(kind, setup, RunDirectory(root), accepted, before=before)


def _run(kind: Kind, setup: Setup, directory: RunDirectory, accepted: Sequence[str], *, before: Donor | None) -> Result:
    # What is about to run, in words, before it costs anything.
    config, reporter = setup.config, Reporter(setup.options.quiet or not first())
    reporter.say(f"{config.kind}: {', '.join(task.job.name for task in setup.tasks)} -> {directory.root}")
    reporter.say("\n".join([describe(setup.problem.domains), *setup.notes]))
    if setup.weights:
        reporter.say(str(setup.weights.report))
    for line in without_effect(setup.config, setup.tasks):
        reporter.say(line)
    if before and (same := before.copied(setup, directory)):
        reporter.say(f"Taken over from {before.directory.root}, not trained again: {', '.join(same)}.")
    # What is left of it: finished jobs are read, never trained again.
    names = told(lambda: _left(setup, directory))
    todo = [task for task in setup.tasks if task.job.name in names]
    if not todo:
        reporter.say(f"This run is complete: {config.steps} of {config.steps} steps of every method. Nothing to train.")
    stop = StopRequest(reporter)
    at = Running(kind, setup, directory, reporter, stop, before)
    # Job by job. A hidden job is named once, however many begin from it, and its model is kept for all of them.
    parts = {part.name: part for task in todo for part in (task.job.start, task.job) if part}
    unfinished: dict[str, str] = {}
    with stop.listening():
        with reporter.running(sum(len(part.trials) * part.steps for part in parts.values())):
            models: dict[str, Any] = {}
            for i, task in enumerate(todo):
                try:
                    _finish(at, task, models)
                except StoppedError as where:
                    unfinished = {t.job.name: "not finished" for t in todo[i:]} | {task.job.name: f"stopped: {where}"}
                    break
        stop.trained = True
        result = told(
            lambda: conclude(kind, setup, directory, reporter, unfinished, accepted=accepted, trained=bool(todo))
        )
        if first():
            rungs.keep(kind, setup, directory)
    return result._replace(stopped=any_of(stop.signal is not None))


def _left(setup: Setup, directory: RunDirectory) -> list[str]:
    """The jobs that are to be trained; the run is then no longer marked as finished."""
    names = [task.job.name for task in inspect(setup, directory)]
    note_environment(directory.root / "environment.json", names)
    if names:
        (directory.root / FINISHED).unlink(missing_ok=True)
    return names


def _finish(at: Running, task: Task, models: dict[str, Any]) -> None:
    """Train a job (the model it begins from first, unless `models` has it) and store features of its first trial."""
    weights = at.setup.weights
    # Where it begins: weights of a file, or those of its hidden job.
    model = from_file(task, weights)
    if task.start is not None:
        name = task.start.job.name
        if name not in models:
            states, _ = _train(at, task.start, from_file(task.start, weights))
            models[name] = averaged(states).params, states.stats
        model = pretrained(task, models[name])
    # Where the trunk never moves, its features are computed once and the head alone is trained on them.
    if task.job.strategy.cached:
        task, model = on_features(task, model), head_of(task, model)
    states, built = _train(at, task, model)
    # What outlives it.
    whole = here(states)
    if first():
        at.kind.keep(task, at.directory, whole)
    arrays = at.kind.features(task, built, states)
    at.directory.keep_file(task.job.name, FEATURES, packed(arrays))


def _train(at: Running, task: Task, model: Any = None) -> tuple[State, Programs]:
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
    )
    return run_job(work, model)


def _unless_stopped(at: Running, task: Task) -> None:
    if any_of(at.stop.signal is not None):
        raise StoppedError(f"before {task.job.name} went on")
