"""A run brought together: its jobs, what they have written, and what labels and names there are of their examples."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tl_jax.core.batching import some
from tl_jax.core.errors import UserError, require
from tl_jax.data.domain import Domain
from tl_jax.kinds.predicting import observe
from tl_jax.kinds.predicting.observe import SHOWN_IN_EMBEDDING
from tl_jax.kinds.predicting.table import is_open
from tl_jax.kinds.table import kind_of, prepare
from tl_jax.programs.trained.opened import NO_DOMAINS
from tl_jax.run.finished import config_of
from tl_jax.run.kind import Kind
from tl_jax.run.plan.types import Options, Setup, Task
from tl_jax.run.settings.config import Config
from tl_jax.run.store.rundir import RunDirectory, read_lines
from tl_jax.run.wanted import same_data

HIDDEN = ": source model"
"""How the name of a job ends that another begins from."""


class Known(NamedTuple):
    """What a job's predictions are judged by: labels y [n] of the target's test split (-1, of values NaN: unknown),
    those of the sources' validation splits, names of classes and of the test's examples.

    units: center and scale of values, None where only the run's own predictions are in the labels' unit. domain: the
    target itself, where it could be read.
    """

    classes: tuple[str, ...]
    y: np.ndarray
    source_y: np.ndarray
    names: Any
    values: bool = False
    opened: bool = False
    units: tuple[float, float] | None = None
    domain: Domain | None = None


class Written(NamedTuple):
    """A job: its trials (seed, values), records of results (none if not finished), metric lines, last features."""

    name: str
    steps: int
    trials: Sequence[tuple[int, Mapping[str, float]]]
    results: Sequence[Mapping[str, Any]]
    lines: Sequence[Mapping[str, Any]]
    features: Mapping[str, np.ndarray]
    known: Known


@dataclass(frozen=True)
class Run:
    """A run directory with its jobs. setup: None where its data cannot be read as they were; why: what is in the
    way."""

    directory: RunDirectory
    config: Config
    kind: Kind
    setup: Setup | None
    why: str
    jobs: tuple[Written, ...]

    @property
    def root(self) -> Path:
        """The run directory."""
        return self.directory.root


def read(root: Path, jobs: Sequence[str] = (), data_dir: str = "", domains: Mapping[str, Domain] = NO_DOMAINS) -> Run:
    """A run, or some of its jobs. domains: those by name that were handed over in Python.

    Raises UserError for no run, a run of a kind that predicts no target, an unknown job, and a run without evaluations.
    """
    config = config_of(root)
    kind, directory = kind_of(config), RunDirectory(root)
    if kind.observe is not observe.observe:
        raise UserError(
            f"{root} is a run of {config.kind}: the page is of runs that predict classes or values of a target."
        )
    setup, why = None, ""
    try:
        setup = prepare(config, Options(data_dir=data_dir, devices=1), domains)
        same_data(root, setup, code=False)
    except UserError as error:
        setup, why = None, str(error)
    stored = json.loads((root / "results.json").read_text()) if (root / "results.json").exists() else []
    tasks = {task.job.name: task for task in setup.tasks} if setup else {}
    names = list(tasks) or _names(directory, stored)
    for job in jobs:
        require("job", job, names)
    begun = [name for name in names if directory.manifest(name).lines() and (not jobs or name in jobs)]
    if not begun:
        raise UserError(f"{root} has no evaluation of {', '.join(jobs) or 'any job'} yet: nothing to look at.")
    found = [
        _of_task(kind, directory, tasks[name], stored) if setup else _of_records(config, directory, name, stored)
        for name in begun
    ]
    return Run(directory, config, kind, setup, why, tuple(found))


def _names(directory: RunDirectory, stored: Sequence[Mapping[str, Any]]) -> list[str]:
    named = [record["method"] for record in stored]
    lines = [line["job"] for line in read_lines(directory.root / "metrics.jsonl")]
    return list(dict.fromkeys([*named, *(name for name in lines if name != "pretrain" and not name.endswith(HIDDEN))]))


def _of_task(kind: Kind, directory: RunDirectory, task: Task, stored: Sequence[Mapping[str, Any]]) -> Written:
    job, target = task.job, task.problem.target
    names = target.ids.get("test", ())
    known = Known(
        target.classes,
        target.test.y,
        task.problem.source_labels(),
        names if len(names) == len(target.test.y) else _rows(len(target.test.y)),
        task.problem.values,
        is_open(task.config) and not task.problem.values,
        task.problem.units,
        target,
    )
    trials = [(seed, dict(values)) for seed, values in job.trials]
    lines, features = directory.manifest(job.name).lines(), directory.features(job.name)
    try:
        results = kind.results(task, directory)
    except UserError:  # an evaluation is lost: what it gave when it was there
        results = [record for record in stored if record["method"] == job.name] if features else []
    return Written(job.name, job.steps, trials, results, lines, features, known)


def _of_records(config: Config, directory: RunDirectory, name: str, stored: Sequence[Mapping[str, Any]]) -> Written:
    """What a run kept of its data: the labels of some test examples, the names of all in predictions.csv."""
    lines, kept = directory.manifest(name).lines(), directory.features(name)
    results = [record for record in stored if record["method"] == name] if kept else []
    first = [line for line in lines if line["step"] == lines[0]["step"]]
    trials = [(line["seed"], line["values"]) for line in results or first]
    last = max(line["step"] for line in lines)
    record = directory.record(name, last)
    count = lambda part: record[f"{part}/logits"].shape[1] if f"{part}/logits" in record else 0
    sources = [
        part.removesuffix("/logits") for part in record if part.startswith("source") and part.endswith("/logits")
    ]
    y = _some(kept.get("target_y"), count("target_test"))
    source_y = [_some(kept.get("source_y") if i == 0 else None, count(f"source{i}_val")) for i in range(len(sources))]
    shape = record["target_test/logits"].shape if "target_test/logits" in record else (0, 0, 0)
    values = any("target/r2" in line for line in lines)
    names, called = _sheet(directory.root / "predictions.csv", name, kept.get("predicted/test/class"))
    classes = () if values else tuple(called.get(k, f"class {k}") for k in range(shape[2]))
    known = Known(
        classes,
        y,
        np.concatenate([np.zeros(0, np.int32), *source_y]),
        names if len(names) == shape[1] else _rows(shape[1]),
        values,
        is_open(config) and not values,
    )
    return Written(name, last if kept else config.steps, trials, results, lines, kept, known)


def _rows(size: int) -> list[str]:
    return [f"row {i}" for i in range(size)]


def _some(kept: np.ndarray | None, size: int) -> np.ndarray:
    """Labels [size] of which those of the examples in the embedding were kept, and the others are unknown."""
    if kept is None or len(kept) != min(size, SHOWN_IN_EMBEDDING):
        return np.full(size, -1, np.int32)
    unknown = np.nan if np.issubdtype(kept.dtype, np.floating) else -1
    y = np.full(size, unknown, kept.dtype)
    y[np.sort(some(size, SHOWN_IN_EMBEDDING))] = kept
    return y


def _sheet(path: Path, job: str, predicted: np.ndarray | None) -> tuple[list[str], dict[int, str]]:
    """Names of the test's examples by predictions.csv, and of those classes that are predicted there."""
    if not path.exists():
        return [], {}
    with path.open(newline="", encoding="utf-8", errors="surrogateescape") as file:
        rows = [row for row in csv.DictReader(file) if row["method"] == job and row["split"] == "test"]
    alike = lambda row: {
        k: v for k, v in row.items() if k not in ("example", "class", "probability", "unknown", "value")
    }
    first = [row for row in rows if alike(row) == alike(rows[0])]
    names = [row["example"] for row in first]
    if predicted is None or len(predicted[0]) != len(first) or "class" not in first[0]:
        return names, {}
    trial = next((p for p in predicted if _agrees(p, first)), predicted[0])
    return names, {int(k): row["class"] for k, row in zip(trial, first, strict=True) if k >= 0 and row["class"]}


def _agrees(predicted: np.ndarray, rows: Sequence[Mapping[str, str]]) -> bool:
    """Whether each class number goes by one name alone."""
    pairs = {(int(k), row["class"]) for k, row in zip(predicted, rows, strict=True)}
    return len(pairs) == len({k for k, _ in pairs}) == len({name for _, name in pairs})
