"""A whole run: every job of a config, then results, table and pictures. Every launch script ends here."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tl_jax.core.places import write_atomically
from tl_jax.data.domain import Domain
from tl_jax.run import plots, report
from tl_jax.run.config import AMOUNTS, Config, Job
from tl_jax.run.loop import StoppedError, Work, run_job
from tl_jax.run.pretrained import on_features, pretrained
from tl_jax.run.problem import describe
from tl_jax.run.progress import Reporter, StopRequest
from tl_jax.run.results import job_results
from tl_jax.run.rundir import RunDirectory, read_lines, slug, write_arrays, write_json
from tl_jax.run.setup import Options, Setup, Task, execution, prepare
from tl_jax.run.trials import Programs, predict_all, programs
from tl_jax.training.state import State

SHOWN_IN_EMBEDDING = 300
Ears = tuple[Reporter, StopRequest]


class Result(NamedTuple):
    """records: as in results.json; table: text; run_dir: where everything lies; complete: no job missing."""

    records: list[dict[str, Any]]
    table: str
    run_dir: Path
    complete: bool


def default_run_dir(config: Config) -> Path:
    """A directory of its own for every configuration, so that the same command finds its run again."""
    return Path("runs") / f"{config.kind}-{slug('+'.join(config.source))}-{slug(config.target)}-{config.digest()}"


def run(config: Config, options: Options, domains: Mapping[str, Domain]) -> Result:
    """Train what is not finished, evaluate, report. Raises UserError for mistakes, before writing anything."""
    setup = prepare(config, options, domains)
    directory = RunDirectory(Path(options.run_dir) if options.run_dir else default_run_dir(config))
    directory.claim(config)
    reporter = Reporter(options.quiet)
    reporter.say(f"{config.kind}: {', '.join(task.job.name for task in setup.tasks)} -> {directory.root}")
    reporter.say(describe((*setup.problem.sources, setup.problem.target)))
    todo = [task for task in setup.tasks if not _features_path(directory, task.job).exists()]
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


def _features_path(directory: RunDirectory, job: Job) -> Path:
    """Written last: where it exists, the job is finished."""
    return directory.root / "records" / slug(job.name) / "features.npz"


def _finish(setup: Setup, task: Task, directory: RunDirectory, models: dict[str, Any], ears: Ears) -> None:
    """Train a job (the model it begins from first, unless `models` has it) and store features of its first trial."""
    model = None
    if task.start is not None:
        name = task.start.job.name
        if name not in models:
            states, _ = _train(setup, task.start, directory, ears)
            models[name] = states.params, states.stats
        model = pretrained(task, models[name])
    if task.job.strategy.cached:
        task, model = on_features(task, model), None
    states, built = _train(setup, task, directory, ears, model)
    problem = task.problem
    shown = {"target": ("target", problem.target.test)}
    if problem.sources:
        shown["source"] = ("source0", problem.sources[0].validation)
    features = {}
    for side, (domain, part) in shown.items():
        out = predict_all(built, states, part.x[:SHOWN_IN_EMBEDDING], domain)
        features |= {side: out.features[0], f"{side}_y": part.y[:SHOWN_IN_EMBEDDING]}
    write_arrays(_features_path(directory, task.job), features)


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
        directory=directory,
        build=lambda factors: programs(how.recipe, factors, how.mode),
        place=how.placement.state,
        note=note,
    )
    return run_job(work, model)


def _conclude(setup: Setup, directory: RunDirectory, reporter: Reporter, unfinished: dict[str, str]) -> Result:
    """results.json, the table and the pictures, from what is stored."""
    config = setup.config
    records = [r for task in setup.tasks for r in job_results(task, directory)]
    write_json(directory.root / "results.json", records)
    table = report.rows(config, records, unfinished)
    text = report.text(config, table)
    write_atomically(directory.root / "table.md", report.markdown(config, table).encode())
    if not unfinished:
        _draw(setup, directory, records)
    reporter.say("\n" + text)
    pictures = ", ".join(sorted(path.name for path in directory.root.glob("*.png")))
    reporter.say(f"{directory.root}: results.json, table.md, metrics.jsonl{', ' if pictures else ''}{pictures}")
    return Result(records, text, directory.root, not unfinished)


def _draw(setup: Setup, directory: RunDirectory, records: list[dict[str, Any]]) -> None:
    """Learning curves, samples and embedding, unless they are there already."""
    names = [task.job.name for task in setup.tasks]
    domains = (*setup.problem.sources, setup.problem.target)
    amounts = [name for name in AMOUNTS if getattr(setup.config, name)]
    figures = {
        "curves.png": lambda: plots.curves(read_lines(directory.root / "metrics.jsonl"), names),
        "samples.png": lambda: plots.samples(domains),
        "embedding.png": lambda: plots.embedding(_embedded(setup, directory, records), setup.problem.target.classes),
    }
    if amounts:
        figures["labels.png"] = lambda: plots.few_labels(records, amounts[0])
    for name, draw in figures.items():
        if not (directory.root / name).exists():
            plots.save(draw(), directory.root / name)


def _embedded(setup: Setup, directory: RunDirectory, records: list[dict[str, Any]]) -> dict[str, dict[str, np.ndarray]]:
    """Features of source_only (or the first method) and of the best other one by the label-free score."""
    scores: dict[str, list[float]] = {}
    for record in records:
        scores.setdefault(record["method"], []).append(record["selectors"]["selected"]["score"] or 0.0)
    first = "source_only" if "source_only" in scores else next(iter(scores))
    others = [name for name in scores if name not in (first, *report.BOUNDS)]
    best = max(others, key=lambda name: float(np.mean(scores[name])), default=None)
    found = {}
    for task in setup.tasks:
        if task.job.name in (first, best):
            with np.load(_features_path(directory, task.job)) as file:
                found[task.job.name] = dict(file)
    return found
