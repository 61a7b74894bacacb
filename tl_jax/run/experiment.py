"""A whole run: every job of a config, then results, table and pictures. Every launch script ends here."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tl_jax.core.places import write_atomically
from tl_jax.data.domain import Domain
from tl_jax.run import divergence
from tl_jax.run.config import Config
from tl_jax.run.execution import execution
from tl_jax.run.kinds import KINDS
from tl_jax.run.loop import StoppedError, Work, run_job
from tl_jax.run.plots import save
from tl_jax.run.prepare import prepare
from tl_jax.run.pretrained import from_file, on_features, pretrained
from tl_jax.run.problem import describe
from tl_jax.run.progress import Reporter, StopRequest
from tl_jax.run.rules import without_effect
from tl_jax.run.rundir import RunDirectory, slug, write_arrays, write_json
from tl_jax.run.setup import Options, Setup, Task
from tl_jax.run.trials import Programs
from tl_jax.training.state import State

Ears = tuple[Reporter, StopRequest]


class Result(NamedTuple):
    """records: as in results.json; table: text; run_dir: where everything lies; complete: no job missing."""

    records: list[dict[str, Any]]
    table: str
    run_dir: Path
    complete: bool


def default_run_dir(config: Config) -> Path:
    """A directory of its own for every configuration, so that the same command finds its run again."""
    origin = slug("+".join(config.source) or Path(config.init_from).name)
    named = "-".join(filter(None, (config.kind, origin, slug(config.target))))
    return Path("runs") / f"{named[:180]}-{config.digest()}"


def run(config: Config, options: Options, domains: Mapping[str, Domain]) -> Result:
    """Train what is not finished, evaluate, report. Raises UserError for mistakes, before writing anything."""
    setup = prepare(config, options, domains)
    config = setup.config  # what was `auto` has its name
    directory = RunDirectory(Path(options.run_dir) if options.run_dir else default_run_dir(config))
    directory.claim(config)
    reporter = Reporter(options.quiet)
    reporter.say(f"{config.kind}: {', '.join(task.job.name for task in setup.tasks)} -> {directory.root}")
    reporter.say(describe(setup.problem.domains))
    if setup.weights:
        reporter.say(str(setup.weights.report))
    for line in without_effect(setup.config, setup.tasks):
        reporter.say(line)
    todo = [task for task in setup.tasks if not directory.features_path(task.job.name).exists()]
    if not todo:
        reporter.say(f"This run is complete: {config.steps} of {config.steps} steps of every method. Nothing to train.")
    stop = StopRequest(reporter)
    parts = {part.name: part for task in todo for part in (task.job.start, task.job) if part}
    unfinished: dict[str, str] = {}
    with stop.listening(), reporter.running(sum(len(part.trials) * part.steps for part in parts.values())):
        models: dict[str, Any] = {}
        for i, task in enumerate(todo):
            try:
                _finish(setup, task, directory, models, (reporter, stop))
            except StoppedError as where:
                unfinished = {t.job.name: "not finished" for t in todo[i:]} | {task.job.name: f"stopped: {where}"}
                break
    return _conclude(setup, directory, reporter, unfinished)


def _finish(setup: Setup, task: Task, directory: RunDirectory, models: dict[str, Any], ears: Ears) -> None:
    """Train a job (the model it begins from first, unless `models` has it) and store features of its first trial."""
    model = from_file(task, setup.weights)
    if task.start is not None:
        name = task.start.job.name
        if name not in models:
            states, _ = _train(setup, task.start, directory, ears, from_file(task.start, setup.weights))
            models[name] = states.params, states.stats
        model = pretrained(task, models[name])
    if task.job.strategy.cached:
        task, model = on_features(task, model), None
    states, built = _train(setup, task, directory, ears, model)
    kind = KINDS[task.config.kind]
    kind.keep(task, directory, states)
    arrays = kind.features(task, built, states)
    write_arrays(directory.features_path(task.job.name), arrays)


def _train(setup: Setup, task: Task, directory: RunDirectory, ears: Ears, model: Any = None) -> tuple[State, Programs]:
    """Run one job from where it stands to its end."""
    reporter, stop = ears
    job = task.job
    remembered = directory.root / "execution.json"
    modes = json.loads(remembered.read_text()) if remembered.exists() else {}
    if job.name not in modes:
        reporter.at(job.name, 0, "compiling")
    how = execution(task, setup.options, modes.get(job.name))
    if job.name not in modes:
        write_json(remembered, {**modes, job.name: how.mode})
    reporter.say(f"{job.name}: {how.reason}")

    def note(name: str, step: int, shown: dict[str, float]) -> bool:
        detail = " ".join([f"step {step}/{job.steps}", *(f"{k} {v:.3f}" for k, v in shown.items())])
        reporter.at(name, step * len(job.trials), detail)
        return stop.signal is not None

    work = Work(
        task=task,
        data=how.data,
        feed=how.feed,
        directory=directory,
        build=how.build,
        place=how.placement.state,
        note=note,
    )
    return run_job(work, model)


def _conclude(setup: Setup, directory: RunDirectory, reporter: Reporter, unfinished: dict[str, str]) -> Result:
    """results.json, the table and the pictures, from what is stored."""
    kind = KINDS[setup.config.kind]
    records = [r for task in setup.tasks for r in kind.results(task, directory)]
    write_json(directory.root / "results.json", records)
    table = kind.table(setup, records, unfinished)
    text = table.text()
    write_atomically(directory.root / "table.md", table.markdown().encode())
    finite = divergence.alive(records)
    for name, draw in kind.figures(setup, directory, finite).items() if not unfinished else ():
        if not (directory.root / name).exists():
            save(draw(), directory.root / name)
    reporter.say("\n" + text)
    pictures = ", ".join(sorted(path.name for path in directory.root.glob("*.png")))
    reporter.say(f"{directory.root}: results.json, table.md, metrics.jsonl{', ' if pictures else ''}{pictures}")
    return Result(records, text, directory.root, not unfinished)
