"""Parallel coordinates: a line a setting, through its value of every swept number to its score."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from tl_jax.core.errors import UserError
from tl_jax.sweep.pictures.look import LINES, MAP, title
from tl_jax.sweep.pictures.scales import position
from tl_jax.sweep.tables.pivot import Cell, Key, Pivot
from tl_jax.sweep.tables.words import number, said

MOST = 8
"""Values of which all are written at an axis; of more, those nearest to as many even steps."""


def parallel(pivoted: Pivot, swept: Mapping[Key, Mapping[Key, Cell]]) -> Figure:
    """Lines are coloured by their score, rows differ in their dashes; those without a mean are grey and end early."""
    names = pivoted.asked.columns
    axes_values = [sorted({key[i] for points in swept.values() for key in points}) for i in range(len(names))]
    means = [cell.mean for points in swept.values() for cell in points.values() if cell.mean is not None]
    if not means:
        raise UserError(f"--plot={','.join(names)}: all trials diverged.")
    norm = Normalize(min(means), max(means))
    colours = ScalarMappable(norm, MAP)
    figure = Figure(figsize=(1.9 * len(names) + 2.4, 4.2), layout="constrained")
    axes = figure.add_subplot()
    lines = [(cell, key, i) for i, points in enumerate(swept.values()) for key, cell in points.items()]
    order = (lambda one: one[0].mean or 0) if pivoted.higher else (lambda one: -(one[0].mean or 0))
    for cell, key, i in sorted(lines, key=order):
        y = [position(values, value) for values, value in zip(axes_values, key, strict=True)]
        look = {"linestyle": LINES[i % 4], "linewidth": 1.6, "alpha": 0.9, "clip_on": False}
        if cell.mean is None:
            axes.plot(range(len(y)), y, color="#bbbbbb", zorder=1, **look)
        else:
            score = float(norm(cell.mean)) if norm.vmax != norm.vmin else 0.5
            axes.plot(range(len(y) + 1), [*y, score], color=colours.get_cmap()(score), **look)
    _axes(axes, axes_values)
    axes.set_xticks(range(len(names) + 1), [*names, ""])
    axes.tick_params(length=0, pad=8)
    axes.set_yticks([])
    axes.set_xlim(-0.25, len(names))
    axes.set_ylim(0, 1)
    axes.spines[:].set_visible(False)
    _legend(axes, swept, any(cell.mean is None for cell, _, _ in lines))
    figure.colorbar(colours, ax=axes, label=title(pivoted.asked.score), pad=0, aspect=30)
    return figure


def _axes(axes: Axes, axes_values: Sequence[Sequence[float]]) -> None:
    for i, values in enumerate(axes_values):
        axes.plot([i, i], [0, 1], color="black", linewidth=1, zorder=3, clip_on=False)
        for value in _shown(values):
            y, box = position(values, value), {"facecolor": "white", "alpha": 0.75, "edgecolor": "none", "pad": 0.8}
            text = number(value) if len(values) <= MOST else f"{value:.2g}"
            axes.text(i + 0.03, y, text, fontsize=8, va="center", zorder=4, bbox=box)
            axes.plot([i - 0.02, i + 0.02], [y, y], color="black", linewidth=1, zorder=3, clip_on=False)


def _shown(values: Sequence[float]) -> list[float]:
    if len(values) <= MOST:
        return list(values)
    nearest = lambda place: min(values, key=lambda value: abs(position(values, value) - place))
    return list(dict.fromkeys(nearest(i / (MOST - 1)) for i in range(MOST)))


def _legend(axes: Axes, rows: Mapping[Key, object], dead: bool) -> None:
    looks: list[dict[str, Any]] = [{"linestyle": LINES[i % 4], "label": said(row)} for i, row in enumerate(rows)]
    handles = [Line2D([], [], color="#444444", **look) for look in looks]
    handles += [Line2D([], [], color="#bbbbbb", label="all trials diverged")] * dead
    if len(handles) > 1:
        axes.legend(handles=handles, loc="lower center", bbox_to_anchor=(0.5, 1.05), ncols=4, frameon=False, fontsize=9)
