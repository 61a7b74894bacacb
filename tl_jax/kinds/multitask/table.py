"""The table of a multi-task run: every task, both Delta_m against single-task training, the tasks that lose."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.evaluation.multitask import Score, delta_metrics, delta_tasks, task_gains
from tl_jax.run.plan.problem import joined
from tl_jax.run.report.table import Table, mean_std, scale_of, spread
from tl_jax.run.settings.config import Config

SHOWN = {"classes": "accuracy", "binary": "accuracy", "values": "r2"}
"""The metric of a kind of task that tables show."""
COMPARED = {"accuracy": True, "rmse": False, "mae": False}
"""The metrics in Delta_m, and whether higher is better: R2 passes through zero, where no ratio is defined."""
MANY = 8
"""Above this many tasks the table shows their mean."""

Key = tuple[str, tuple[tuple[str, float], ...]]
Metrics = dict[str, float]


class Row(NamedTuple):
    """One strategy at one set of swept values: the metrics at the last step, one dict a seed."""

    method: str
    swept: dict[str, float]
    seeds: list[Metrics]


def rows(config: Config, records: Sequence[Mapping[str, Any]]) -> list[Row]:
    """A row a strategy (and swept values); the models of single tasks with one seed are one row's entry."""
    names = [name for name, _ in config.sweep]
    groups: dict[Key, dict[int, Metrics]] = {}
    for record in records:
        key = (record["method"], tuple((name, record["values"][name]) for name in names))
        found = groups.setdefault(key, {}).setdefault(record["seed"], {})
        found.update({name: value for name, value in record["selectors"]["last"].items() if name != "step"})
    return [Row(method, dict(swept), list(seeds.values())) for (method, swept), seeds in groups.items()]


def baselines(table: Sequence[Row]) -> dict[tuple, Metrics]:
    """{swept values: mean over the seeds of every metric of single-task training}."""
    singles = [row for row in table if row.method == "single"]
    return {
        tuple(row.swept.items()): {name: float(np.mean([m[name] for m in row.seeds])) for name in row.seeds[0]}
        for row in singles
    }


def compared(found: Metrics, baseline: Metrics) -> list[Score]:
    """The scores in Delta_m: those of tasks that the baseline has, where it is not zero."""
    scores = []
    for name, value in found.items():
        task, metric = name.rsplit("/", 1)
        if metric in COMPARED and baseline.get(name):
            scores.append(Score(task, metric, value, baseline[name], COMPARED[metric]))
    return scores


def table(config: Config, records: Sequence[Mapping[str, Any]], unfinished: Mapping[str, str]) -> Table:
    """The table of a run with several tasks."""
    found = rows(config, records)
    floors = baselines(found)
    shown = sorted(
        {name for row in found for m in row.seeds for name in m if name.endswith(("/accuracy", "/r2"))},
        key=_place(config),
    )
    swept = [name for name, _ in config.sweep]
    titles = [name.replace("/", " ") for name in shown] if len(shown) <= MANY else [f"mean of {len(shown)} tasks"]
    head = ["strategy", *swept, *titles, "Δm % (lower is better)", "Δp % (higher is better)", ""]
    body = [
        [
            row.method,
            *(f"{row.swept[name]:g}" for name in swept),
            *_values(row, shown),
            *_deltas(row, floors.get(tuple(row.swept.items()))),
        ]
        for row in found
    ]
    blank = [""] * (len(swept) + len(titles) + 2)
    body += [[name, *("-" if b == "" else b for b in blank), reason] for name, reason in unfinished.items()]
    return Table([head, *body], _footnote(config, bool(floors)))


def _place(config: Config):
    return lambda name: config.source.index(name.rsplit("/", 1)[0])


def _values(row: Row, shown: Sequence[str]) -> list[str]:
    columns = [[m[name] for m in row.seeds if name in m] for name in shown]
    if len(shown) <= MANY:
        return [mean_std(values) for values in columns]
    return [mean_std([float(np.mean([m[name] for name in shown if name in m])) for m in row.seeds])]


def _deltas(row: Row, baseline: Metrics | None) -> list[str]:
    """Both Delta_m, and a remark that names the tasks that lose."""
    if row.method == "single":
        return ["0", "0", "baseline: every task alone"]
    if baseline is None:
        return ["-", "-", "no single-task baseline in this run"]
    try:
        each = [compared(m, baseline) for m in row.seeds]
        both = [_signed([delta(scores) for scores in each]) for delta in (delta_metrics, delta_tasks)]
        gains = [task_gains(scores) for scores in each]
    except UserError as error:
        return ["-", "-", str(error)]
    mean = {task: float(np.mean([g[task] for g in gains])) for task in gains[0]}
    lost = sorted((task for task in mean if mean[task] < 0), key=lambda task: mean[task])
    if len(mean) > MANY:
        return [*both, f"{len(lost)} of {len(mean)} tasks lose" if lost else "no task loses"]
    return [*both, "loses: " + ", ".join(f"{t} {mean[t]:.1f} %" for t in lost) if lost else "no task loses"]


def _signed(values: Sequence[float]) -> str:
    mean = f"{np.mean(values):+.2f}"
    return mean if len(values) == 1 else f"{mean} ± {np.std(values, ddof=1):.2f}"


def _footnote(config: Config, compared: bool) -> str:
    text = (
        f"{joined(config.source)}: accuracy of classes and R2 of values on each task's test split at step "
        f"{config.steps}, {spread(config)}. Network {config.network}, sharing {config.sharing}, forward plan "
        f"{config.forward_plan}{scale_of(config)}."
    )
    if config.init_from:
        text += f" The trunk begins from {config.init_from}."
    if not compared:
        return text
    return text + (
        " Δm and Δp compare accuracy, RMSE and MAE with the mean over seeds of single-task training of the same "
        "trunk, steps and batch. Δm: mean over metrics of the relative loss in percent, LOWER is better. Δp: mean over "
        "tasks of the mean relative gain in percent, HIGHER is better. A task loses where its own mean gain is "
        "negative. Steps are made comparable: weights of losses sum to 1, combined gradients are as long as the mean "
        "gradient (shorter where less than a tenth of what they add up is left)."
    )
