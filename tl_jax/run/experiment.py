"""A whole run: every job of a config, then results, table and pictures. Every launch script ends here."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from tl_jax.core.errors import machine_faults
from tl_jax.core.processes import any_of, first, here, together, told
from tl_jax.data.domain import Domain
from tl_jax.models.files.weights import File
from tl_jax.run import rungs
from tl_jax.run.attempt import Running, train
from tl_jax.run.conclude import FINISHED, Result, conclude
from tl_jax.run.execute.begin import from_file, head_of, on_features, pretrained
from tl_jax.run.execute.execution import check_bytes
from tl_jax.run.extend import Donor, donor
from tl_jax.run.kind import Kind
from tl_jax.run.loop import StoppedError
from tl_jax.run.plan.effects import without_effect
from tl_jax.run.plan.prepare import prepare
from tl_jax.run.plan.problem import describe
from tl_jax.run.plan.types import Options, Setup, Task
from tl_jax.run.report.reporter import Reporter, StopRequest
from tl_jax.run.settings.config import Config
from tl_jax.run.store.claim import taken
from tl_jax.run.store.environment import note_environment
from tl_jax.run.store.live import Live
from tl_jax.run.store.names import readable
from tl_jax.run.store.resume import inspect
from tl_jax.run.store.rundir import FEATURES, RunDirectory, packed
from tl_jax.training.predict import averaged


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
    swept = [name for name, _ in config.swept]
    live = Live(directory, swept) if setup.options.log == "tensorboard" else None
    at = Running(kind, setup, directory, reporter, stop, before, live)
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
        if live:
            live.close()
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
            states, _ = train(at, task.start, from_file(task.start, weights))
            models[name] = averaged(states).params, states.stats
        model = pretrained(task, models[name])
    # Where the trunk never moves, its features are computed once and the head alone is trained on them.
    if task.job.strategy.cached:
        task, model = on_features(task, model), head_of(task, model)
    states, built = train(at, task, model)
    # What outlives it.
    whole = here(states)
    if first():
        at.kind.keep(task, at.directory, whole)
    arrays = at.kind.features(task, built, states)
    at.directory.keep_file(task.job.name, FEATURES, packed(arrays))
