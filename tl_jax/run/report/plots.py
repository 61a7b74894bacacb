"""The pictures of a run: learning curves, samples of the domains, the feature embedding."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from tl_jax.core.files import write_atomically
from tl_jax.data.domain import Domain, known
from tl_jax.run.plan.problem import joined
from tl_jax.run.report.figures import blank
from tl_jax.run.report.projection import projected
from tl_jax.run.report.table import NAMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

STYLES = ("-", "--", ":", "-.")
"""Of lines, where there are more of them than colours."""


def save(figure: "Figure", path: Path) -> None:
    """A PNG, atomically."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    write_atomically(path, buffer.getvalue())


def band(
    panel: "Axes",
    points: Mapping[Any, Sequence[float]],
    *,
    colour: int,
    label: str,
    marker: str = "o",
    shade: float = 0.12,
) -> None:
    """A line through the means of {place: values of all trials}, in a band from least to greatest."""
    where = sorted(points)
    style: dict[str, Any] = {
        "color": f"C{colour % 10}",
        "linestyle": STYLES[colour // 10 % len(STYLES)],
        "marker": marker,
    }
    panel.plot(where, [float(np.mean(points[x])) for x in where], label=label, **style)
    low, high = [min(points[x]) for x in where], [max(points[x]) for x in where]
    panel.fill_between(where, low, high, color=f"C{colour % 10}", alpha=shade, linewidth=0)


def on_target(metric: str) -> str:
    """The title of a metric."""
    return f"{NAMES[metric]} on the target's test split"


def panels(metric: str, labels: Mapping[str, str]) -> tuple[tuple[str, str], tuple[str, str]]:
    """What the curves of a run show that predicts: the target's metric and the loss on labels.

    labels: {method: whose labels that loss is of}, as in "the target".
    """
    by_owner: dict[str, list[str]] = {}
    for method, owner in labels.items():
        by_owner.setdefault(owner, []).append(method)
    most = max(by_owner, key=lambda owner: len(by_owner[owner]), default="the source")
    others = [f"{joined(names, 2)}: {owner}'s" for owner, names in by_owner.items() if owner != most]
    title = "; ".join([f"loss on {most}'s labels", *others])
    return (f"target/{metric}", on_target(metric)), ("source", title)


def apart(lines: Sequence[Mapping[str, Any]], by: str) -> dict[str, list[Mapping[str, Any]]]:
    """Lines or records by their method, under the key `by`, and by the values in which its trials differ."""
    found: dict[str, list[Mapping[str, Any]]] = {}
    for method in dict.fromkeys(line[by] for line in lines):
        mine = [line for line in lines if line[by] == method]
        swept = [name for name in mine[0]["values"] if len({line["values"].get(name) for line in mine}) > 1]
        for line in mine:
            values = [f"{name} {line['values'][name]:g}" for name in swept if name != "task"]
            found.setdefault(", ".join([method, *values]), []).append(line)
    return found


def curves(
    lines: Sequence[Mapping[str, Any]],
    methods: Sequence[str],
    panels: Sequence[tuple[str, str]],
) -> "Figure":
    """Two metrics (name, title) over steps: the mean over seeds, the band from least to greatest.

    Swept values are lines of their own.
    """
    figure = blank(11, 4)
    grid = figure.subplots(1, 2)
    ours = [line for method in methods for line in lines if line["job"] == method]
    for panel, (name, title) in zip(grid, panels, strict=True):
        for colour, (label, found) in enumerate(apart(ours, "job").items()):
            points: dict[int, list[float]] = {}
            for line in found:
                if line.get(name) is not None:
                    points.setdefault(line["step"], []).append(line[name])
            if points:
                band(panel, points, colour=colour, label=label, marker=".", shade=0.15)
        panel.set_title(title, fontsize="medium")
        panel.set_xlabel("step")
        panel.grid(alpha=0.3)
    grid[1].set_yscale("log" if panels[1][0] == "source" else "linear")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside right upper", fontsize="small")
    return figure


def few_labels(records: Sequence[Mapping[str, Any]], amount: str, metric: str) -> "Figure":
    """The target's metric at the last step over the number of labels: mean over seeds, band from least to greatest."""
    figure = blank(7, 4.5)
    panel = figure.subplots()
    points: dict[str, dict[float, list[float]]] = {}
    without = lambda values: {name: value for name, value in values.items() if name != amount}
    partly = [
        {**record, "values": without(record["values"]), amount: n}
        for record in records
        if (n := record["values"].get(amount))
    ]
    for label, found in apart(partly, "method").items():
        for record in found:
            score = record["selectors"]["last"][f"target/{metric}"]
            points.setdefault(label, {}).setdefault(record[amount], []).append(score)
    for colour, (label, found) in enumerate(points.items()):
        band(panel, found, colour=colour, label=label)
    panel.set_xscale("log")
    shown = sorted({n for found in points.values() for n in found})
    panel.set_xticks(shown, [f"{n:g}" for n in shown])
    panel.minorticks_off()
    panel.set(xlabel=amount.replace("_", " "), ylabel=on_target(metric))
    panel.grid(alpha=0.3)
    panel.legend(fontsize="small")
    return figure


def samples(domains: Sequence[Domain], rows: int = 3) -> "Figure":
    """`rows` training images of each class of each domain; of values, at places from the least to the greatest."""
    columns = len(domains[0].classes[:12]) or 8
    figure = blank(0.7 * columns + 1, 0.75 * rows * len(domains) + 0.8)
    grid = figure.subplots(rows * len(domains), columns, squeeze=False)
    for axis in grid.flat:
        axis.set(xticks=[], yticks=[])
        axis.set_frame_on(False)
    for d, domain in enumerate(domains):
        titled = d == 0 or not domain.classes or not domain.labelled or domain.classes != domains[0].classes
        for c, (name, members) in enumerate(_columns(domain, columns, rows)):
            found = domain.train.x[members]
            for r in range(rows):
                axis = grid[d * rows + r][c]
                if r < len(found):
                    _show(axis, found[r])
                if r == 0 and titled:
                    axis.set_title(name, fontsize="small")
        grid[d * rows + rows // 2][0].set_ylabel(domain.name, fontsize="small")
    return figure


def _columns(domain: Domain, columns: int, rows: int) -> list[tuple[str, np.ndarray]]:
    """The name of each column of samples and the examples in it; without labels any, under a '?'."""
    y = domain.train.y
    if not known(y).any():
        spread = np.linspace(0, len(y) - 1, min(len(y), rows * columns)).astype(int)
        return [("?", spread[c::columns]) for c in range(columns)]
    if domain.classes:
        return [(name, np.flatnonzero(y == c)[:rows]) for c, name in enumerate(domain.classes[:columns])]
    order = np.argsort(y, kind="stable")[: known(y).sum()]  # unknown ones are sorted to the end
    begin = np.linspace(0, max(0, len(order) - rows), columns).astype(int)
    return [(f"{y[order[i]]:.2g}", order[i : i + rows]) for i in begin]


def _show(axis: "Axes", example: np.ndarray) -> None:
    """An image as it is; anything else as a line of its values."""
    if example.ndim == 3 and example.shape[-1] in (1, 3):
        axis.imshow(example, cmap="gray")
    else:
        axis.plot(example.reshape(-1), linewidth=0.8)


def embedding(features: Mapping[str, Mapping[str, np.ndarray]], classes: Sequence[str]) -> "Figure":
    """Source and target features in the plane, one row a method: coloured by domain, then by class or value.

    features: {method: {"source" [n, d], "source_y" [n], "target" [m, d], "target_y" [m]}}; a source of
    other classes is left out.
    """
    figure = blank(11, 4.6 * len(features))
    grid = figure.subplots(len(features), 2, squeeze=False)
    for row, (method, parts) in zip(grid, features.items(), strict=True):
        sides = [side for side in ("source", "target") if side in parts]
        both = np.concatenate([parts[side] for side in sides])
        where, by = projected(both)
        y = np.concatenate([parts[f"{side}_y"] for side in sides])
        domain = np.repeat(sides, [len(parts[side]) for side in sides])
        style = {"s": 9, "linewidths": 0, "alpha": 0.8}
        for side in sides:
            row[0].scatter(*where[domain == side].T, color={"source": "C0", "target": "C3"}[side], label=side, **style)
        if not known(y).all():
            row[1].scatter(*where[~known(y)].T, color="0.8", label="not labelled", **style)
        for c, name in enumerate(classes):
            row[1].scatter(*where[y == c].T, color=f"C{c % 10}", label=name, **style)
        if not classes:
            figure.colorbar(row[1].scatter(*where[known(y)].T, c=y[known(y)], **style), ax=row[1])
        for axis, title in zip(row, ("by domain", "by class" if classes else "by value"), strict=True):
            axis.set(title=f"{method}: features {title} ({by})", xticks=[], yticks=[])
            if title == "by domain" or 0 < len(classes) <= 12:
                axis.legend(fontsize="x-small", markerscale=2, loc="center left", bbox_to_anchor=(1, 0.5))
    return figure
