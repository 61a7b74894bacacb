"""A whole run: every job of a config, then results, table and pictures. Every launch script ends here."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tl_jax.core.places import write_atomically
from tl_jax.data.domain import Domain
from tl_jax.run import plots, report
from tl_jax.run.config import Config, Job
from tl_jax.run.loop import StoppedError, Work, run_job
from tl_jax.run.problem import describe
from tl_jax.run.progress import Reporter, StopRequest
from tl_jax.run.results import job_results
from tl_jax.run.rundir import RunDirectory, read_lines, slug, write_json
from tl_jax.run.setup import Options, Setup, execution, prepare
from tl_jax.run.trials import Programs, predict_all, programs
from tl_jax.training.state import State

SHOWN_IN_EMBEDDING = 300


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
    reporter.say(f"{config.kind}: {', '.join(job.name for job in setup.jobs)} -> {directory.root}")
    reporter.say(describe((*setup.problem.sources, setup.problem.target)))
    todo = [job for job in setup.jobs if not _features_path(directory, job).exists()]
    if not todo:
        reporter.say(f"This run is complete: {config.steps} of {config.steps} steps of every method. Nothing to train.")
    stop = StopRequest(reporter)
    parts = [part for job in todo for part in (job.start, job) if part]
    unfinished: dict[str, str] = {}
    with stop.listening(), reporter.running(sum(len(part.trials) for part in parts) * config.steps):
        for job in todo:
            try:
                _finish(setup, job, directory, (reporter, stop))
            except StoppedError as where:
                unfinished = {j.name: "not finished" for j in todo[todo.index(job) :]} | {job.name: f"stopped: {where}"}
                break
    return _conclude(setup, directory, reporter, unfinished)


def _features_path(directory: RunDirectory, job: Job) -> Path:
    """Written last: where it exists, the job is finished."""
    return directory.root / "records" / slug(job.name) / "features.npz"


def _finish(setup: Setup, job: Job, directory: RunDirectory, ears: tuple[Reporter, StopRequest]) -> None:
    """Train a job (its source model first, if it needs one) and store the features of its first trial."""
    source_model = None
    if job.start is not None:
        states, _ = _train(setup, job.start, directory, ears)
        source_model = (states.params, states.stats)
    states, built = _train(setup, job, directory, ears, source_model)
    problem = setup.problem
    shown = {"source": ("source0", problem.sources[0].validation), "target": ("target", problem.target.test)}
    features = {}
    for side, (domain, part) in shown.items():
        out = predict_all(built, states, part.x[:SHOWN_IN_EMBEDDING], domain)
        features |= {side: out.features[0], f"{side}_y": part.y[:SHOWN_IN_EMBEDDING]}
    directory.write_record(_features_path(directory, job), features)


def _train(
    setup: Setup,
    job: Job,
    directory: RunDirectory,
    ears: tuple[Reporter, StopRequest],
    source_model: Any = None,
) -> tuple[State, Programs]:
    """Run one job from where it stands to its end."""
    reporter, stop = ears
    remembered = directory.root / "execution.json"
    modes = json.loads(remembered.read_text()) if remembered.exists() else {}
    if job.name not in modes:
        reporter.at(job.name, 0, "compiling")
    how = execution(setup, job, modes.get(job.name))
    if job.name not in modes:
        write_json(remembered, {**modes, job.name: how.mode})
    reporter.say(f"{job.name}: {how.reason}")

    def note(name: str, step: int, shown: dict[str, float]) -> bool:
        detail = " ".join([f"step {step}/{setup.config.steps}", *(f"{k} {v:.3f}" for k, v in shown.items())])
        reporter.at(name, step * len(job.trials), detail)
        return stop.signal is not None

    work = Work(
        config=setup.config,
        job=job,
        problem=setup.problem,
        data=how.data,
        directory=directory,
        build=lambda factors: programs(how.recipe, factors, how.mode),
        place=how.placement.state,
        note=note,
    )
    return run_job(work, list(setup.shapes[job.name]), source_model)


def _conclude(setup: Setup, directory: RunDirectory, reporter: Reporter, unfinished: dict[str, str]) -> Result:
    """results.json, the table and the pictures, from what is stored."""
    config, problem = setup.config, setup.problem
    records = [r for job in setup.jobs for r in job_results(config, job, problem, directory)]
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
    names = [job.name for job in setup.jobs]
    domains = (*setup.problem.sources, setup.problem.target)
    figures = {
        "curves.png": lambda: plots.curves(read_lines(directory.root / "metrics.jsonl"), names),
        "samples.png": lambda: plots.samples(domains),
        "embedding.png": lambda: plots.embedding(_embedded(setup, directory, records), domains[0].classes),
    }
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
    for job in setup.jobs:
        if job.name in (first, best):
            with np.load(_features_path(directory, job)) as file:
                found[job.name] = dict(file)
    return found
