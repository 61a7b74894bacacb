"""The pictures of a multi-task run."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tl_jax.balancing.tasks import TaskHead
from tl_jax.evaluation.multitask import task_gains
from tl_jax.kinds.multitask.table import SHOWN, compared
from tl_jax.run.report.figures import blank
from tl_jax.run.report.plots import apart, band

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MANY = 12
"""Learning curves of the first so many tasks."""


def curves(lines: Sequence[Mapping[str, Any]], heads: Sequence[TaskHead]) -> "Figure":
    """A panel a task: its first metric over steps, the mean over seeds and a band from least to greatest.

    Swept values are lines of their own.
    """
    heads = heads[:MANY]
    columns = min(4, len(heads))
    figure = blank(4 * columns, 3.2 * -(-len(heads) // columns))
    panels = figure.subplots(-(-len(heads) // columns), columns, squeeze=False).ravel()
    groups = apart([{**line, "job": _method(line)} for line in lines], "job")
    for panel, head in zip(panels, heads, strict=False):
        name = f"{head.name}/{SHOWN[head.labels]}"
        for colour, (label, found) in enumerate(groups.items()):
            points: dict[int, list[float]] = {}
            for line in found:
                if line.get(name) is not None:
                    points.setdefault(line["step"], []).append(line[name])
            band(panel, points, colour=colour, label=label, marker=".")
        panel.set(title=name.replace("/", " "), xlabel="step")
        panel.grid(alpha=0.3)
    panels[0].legend(fontsize="x-small")
    return figure


def relative(records: Sequence[Mapping[str, Any]], heads: Sequence[TaskHead]) -> "Figure":
    """Each task's mean relative gain over single-task training in percent, a group of bars a task, up is better.

    Bars are means over seeds, whiskers run from least to greatest; swept values are bars of their own. Without
    single-task models it is empty.
    """
    last = lambda record: {k: v for k, v in record["selectors"]["last"].items() if k != "step"}
    alone = [record for record in records if record["method"] == "single"]
    gains: dict[str, list[dict[str, float]]] = {}
    for label, found in apart([record for record in records if record["method"] != "single"], "method").items():
        singles: dict[str, list[float]] = {}
        for record in alone:
            for name, value in last(record).items() if _alike(record, found[0]) else ():
                singles.setdefault(name, []).append(value)
        baseline = {name: float(np.mean(values)) for name, values in singles.items()}
        if scores := [scores for record in found if (scores := compared(last(record), baseline))]:
            gains[label] = [task_gains(one) for one in scores]
    figure = blank(max(7.0, 1.6 * min(len(heads), MANY)), 4)
    panel = figure.subplots()
    tasks, width = [head.name for head in heads[:MANY]], 0.8 / max(len(gains), 1)
    for i, (method, found) in enumerate(gains.items()):
        values = np.array([[g.get(task, np.nan) for task in tasks] for g in found])
        where, mean = np.arange(len(tasks)) + (i - (len(gains) - 1) / 2) * width, values.mean(0)
        reach = np.maximum([mean - values.min(0), values.max(0) - mean], 0)  # rounding may put a mean outside
        panel.bar(where, mean, width, yerr=reach, color=f"C{(i + 1) % 10}", label=method, error_kw={"linewidth": 0.8})
    panel.axhline(0, color="black", linewidth=0.8)
    panel.set_xticks(range(len(tasks)), tasks, fontsize="small")
    panel.set(ylabel="gain over single-task, %", title="Each task against a model of its own (up is better)")
    panel.grid(alpha=0.3, axis="y")
    if gains:
        panel.legend(fontsize="small")
    return figure


def _alike(single: Mapping[str, Any], record: Mapping[str, Any]) -> bool:
    """Whether two records have the same swept values."""
    return all(record["values"].get(name, value) == value for name, value in single["values"].items())


def _method(line: Mapping[str, Any]) -> str:
    return "single" if "task" in line["values"] else line["job"]
