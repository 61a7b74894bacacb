"""A run of several tasks: what is stored, and every task's metrics from that."""

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tl_jax.balancing.tasks import TaskHead
from tl_jax.evaluation import regression
from tl_jax.evaluation.metrics import accuracy, macro_f1
from tl_jax.kinds.multitask import plots
from tl_jax.kinds.multitask import table as tables
from tl_jax.kinds.multitask.table import SHOWN
from tl_jax.kinds.multitask.tasks import answering
from tl_jax.run.execute import divergence
from tl_jax.run.plan.types import Setup, Task
from tl_jax.run.report.table import Table
from tl_jax.run.store.rundir import RunDirectory, read_lines
from tl_jax.training.state import State
from tl_jax.training.trials import Programs, predict_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def observe(task: Task, programs: Programs, states: State) -> dict[str, np.ndarray]:
    """Outputs [T, n, c] on every input's validation and test split."""
    return {
        f"source{i}_{split}": np.asarray(predict_all(programs, states, domain.splits[split].x, f"source{i}").logits)
        for i, domain in enumerate(task.problem.sources)
        for split in ("validation", "test")
    }


def metrics(head: TaskHead, logits: np.ndarray, y: np.ndarray) -> dict[str, float]:
    """One task's metrics on its labelled rows, the first the one that tables show: logits [n, C], y [n].

    Accuracy and macro F1 of classes; R2, RMSE and MAE of values, in the labels' own units. Empty without labels.
    """
    known = ~np.isnan(y)
    found, y = head.outputs(np.asarray(logits[known], np.float64)), y[known].astype(np.float64)
    if not len(y):
        return {}
    if head.labels == "values":
        every = regression.scores(found, head.center + head.scale * y)
        return {name: value for name, value in every.items() if np.isfinite(value)}  # R2 of equal labels is not
    return {metric.__name__: metric(found, y.astype(int)) for metric in (accuracy, macro_f1)}


def _all_metrics(task: Task, record: Mapping[str, np.ndarray], trial: int, split: str = "test") -> dict[str, float]:
    """{"task/metric": value} of one trial; a trial of one task has that one's alone."""
    found = {}
    for head in answering(task.problem.tasks, dict(task.job.trials[trial][1])):
        y = task.problem.sources[head.input].splits[split].y[:, head.column]
        scores = metrics(head, record[f"source{head.input}_{split}"][trial], y)
        found |= {f"{head.name}/{name}": value for name, value in scores.items()}
    return found


def score(task: Task, observed: Mapping[str, np.ndarray]) -> dict[str, list[float | None]]:
    """Every task's first metric on its test split, None where the model is not trained on the task."""
    rows = [_all_metrics(task, observed, i) for i in range(len(task.job.trials))]
    names = [f"{head.name}/{SHOWN[head.labels]}" for head in task.problem.tasks]
    return {name: [row.get(name) for row in rows] for name in names}


def features(task: Task, programs: Programs, states: State) -> dict[str, np.ndarray]:
    """Nothing is shown of them."""
    return {}


def results(task: Task, directory: RunDirectory) -> list[dict[str, Any]]:
    """One record a trial of a finished job; none if its last evaluation is not there yet.

    selected: the step with the greatest mean over the tasks of the first metric on the validation splits.
    """
    config, job = task.config, task.job
    stored = directory.records(job.name)
    if job.steps not in stored:
        return []
    method = job.name.partition(" ")[0] if "task" in dict(job.trials[0][1]) else job.name
    shared = {**config.described(method), "target": "+".join(config.source), "sharing": config.sharing}
    records = []
    for i, (seed, values) in enumerate(job.trials):
        plain = {name: value for name, value in values if name != "task"}
        alone = {"task": answering(task.problem.tasks, dict(values))[0].name} if len(plain) < len(values) else {}
        scores = divergence.described(stored[job.steps], i) or {"selectors": _selectors(task, stored, i)}
        records.append({**shared, **alone, "seed": seed, "values": plain, **scores})
    return records


def criterion(task: Task, observed: Mapping[str, np.ndarray]) -> list[float | None]:
    """The mean over the tasks of the first metric on the validation splits, a trial each; None of one that diverged."""
    trials = range(len(task.job.trials))
    return [None if divergence.described(observed, i) else _validation(task, observed, i) for i in trials]


def _validation(task: Task, observed: Mapping[str, np.ndarray], trial: int) -> float:
    firsts = {f"{head.name}/{SHOWN[head.labels]}" for head in task.problem.tasks}
    found = _all_metrics(task, observed, trial, "validation")
    return float(np.mean([value for name, value in found.items() if name in firsts] or [0.0]))


def _selectors(task: Task, stored: Mapping[int, Mapping[str, np.ndarray]], trial: int) -> dict[str, Any]:
    mean = {step: _validation(task, observed, trial) for step, observed in stored.items()}
    best = max(stored, key=lambda step: (mean[step], step))
    at = lambda step: {"step": step, **_all_metrics(task, stored[step], trial)}
    return {"last": at(max(stored)), "selected": {**at(best), "criterion": "validation", "score": mean[best]}}


def table(setup: Setup, records: Sequence[Mapping[str, Any]], unfinished: Mapping[str, str]) -> Table:
    """The table of the trials that stayed finite, and a note on the others."""
    found = tables.table(setup.config, divergence.alive(records), unfinished)
    return found._replace(note=found.note + setup.footnote + divergence.note(records))


def figures(
    setup: Setup, directory: RunDirectory, records: Sequence[Mapping[str, Any]]
) -> dict[str, Callable[[], "Figure"]]:
    """Learning curves of every task, and its metrics against single-task training."""
    heads = setup.problem.tasks
    lines = functools.partial(read_lines, directory.root / "metrics.jsonl")
    return {
        "curves.png": lambda: plots.curves(lines(), heads),
        "relative.png": lambda: plots.relative(records, heads),
    }
