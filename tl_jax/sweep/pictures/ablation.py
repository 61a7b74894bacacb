"""Pictures of what was swept: one number as lines, two as maps, more as parallel coordinates."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure

from tl_jax.core.errors import UserError
from tl_jax.sweep.pictures.look import MAP, style, title
from tl_jax.sweep.pictures.parallel import parallel
from tl_jax.sweep.pictures.scales import scale
from tl_jax.sweep.tables.collect import Row
from tl_jax.sweep.tables.pivot import Cell, Key, Pivot
from tl_jax.sweep.tables.render import spread_of
from tl_jax.sweep.tables.words import number, said

Points = Mapping[Key, Cell]


def check(rows: Sequence[Row], names: Sequence[str]) -> None:
    """Raises UserError for a name to draw over whose values are no numbers."""
    for name in names:
        for value in (row.get(name) for row in rows):
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float)):
                raise UserError(f"--plot={name}: '{value}' is no number. Name it in --rows, or fix it by --where.")


def ablation(pivoted: Pivot, level: float = 0) -> tuple[Figure, str]:
    """The picture of a table whose columns are swept numbers, and what is not in it, in words.

    level: of the confidence interval that a band is, 0 for the standard deviation. Raises UserError where no row
    has all of them.
    """
    names = pivoted.asked.columns
    swept, flat = _split(pivoted)
    if not swept:
        raise UserError(f"--plot={','.join(names)}: no row has a number of each. Name what was swept.")
    if len(names) == 1:
        return _lines(pivoted, swept, flat, level), ""
    out = f"Not drawn, as they have no {' and '.join(names)}: {'; '.join(map(said, flat))}." if flat else ""
    return (_maps(pivoted, swept) if len(names) == 2 else parallel(pivoted, swept)), out


def _split(pivoted: Pivot) -> tuple[dict[Key, Points], dict[Key, Cell]]:
    """{row: {values: cell}} of the rows that have them, and {row: cell} of those that have none."""
    swept, flat = dict[Key, dict[Key, Cell]](), {}
    for (row, column), cell in pivoted.cells.items():
        if None not in column:
            swept.setdefault(row, {})[column] = cell
        elif len(pivoted.asked.columns) == 1 or row not in swept:
            flat[row] = cell
    return {row: dict(sorted(points.items())) for row, points in swept.items()}, flat


def _width(cell: Cell, level: float) -> float:
    return (cell.half_width(level) if level else cell.deviation) or 0.0


def _lines(pivoted: Pivot, swept: Mapping[Key, Points], flat: Mapping[Key, Cell], level: float) -> Figure:
    figure = Figure(figsize=(6.4, 4.0), layout="constrained")
    axes = figure.add_subplot()
    order = {row: i for i, row in enumerate(pivoted.rows)}
    dead = list[tuple[float, int]]()
    for row, points in swept.items():
        _line(axes, points, said(row), style(order[row]), level)
        dead += [(values[0], order[row]) for values, cell in points.items() if cell.diverged]
    for row, cell in flat.items():
        if cell.mean is not None:
            look = {**style(order[row]), "marker": "", "linestyle": (0, (6, 2))}
            axes.axhline(cell.mean, label=f"{said(row)} (has no {pivoted.asked.columns[0]})", **look)
            band = _width(cell, level)
            axes.axhspan(cell.mean - band, cell.mean + band, color=look["color"], alpha=0.1, linewidth=0)
    for i, (x, row) in enumerate(dead):
        look = {"marker": "x", "color": style(row)["color"], "linestyle": "", "clip_on": False, "zorder": 5}
        axes.plot(
            [x], [0.02], transform=axes.get_xaxis_transform(), label="some trials diverged" if i == 0 else None, **look
        )
    scale(axes, sorted({values[0] for points in swept.values() for values in points}))
    axes.set_xlabel(pivoted.asked.columns[0])
    axes.set_ylabel(title(pivoted.asked.score))
    axes.grid(alpha=0.25, linewidth=0.6)
    axes.spines[["top", "right"]].set_visible(False)
    axes.legend(loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False, borderaxespad=0)
    usual = max(len(cell.scores) for cell in pivoted.cells.values())
    figure.supxlabel(spread_of(usual, level), fontsize=8, color="#555555")
    return figure


def _line(axes: Axes, points: Points, label: str, look: Mapping[str, Any], level: float) -> None:
    """Means and their band; broken where a value has none."""
    x = [values[0] for values in points]
    means = np.array([np.nan if cell.mean is None else cell.mean for cell in points.values()])
    widths = np.array([_width(cell, level) for cell in points.values()])
    axes.plot(x, means, label=label, markersize=5, **look)
    axes.fill_between(x, means - widths, means + widths, color=look["color"], alpha=0.15, linewidth=0)


def _maps(pivoted: Pivot, swept: Mapping[Key, Points]) -> Figure:
    """A map a row, all on one scale of colours; what is missing is hatched."""
    across, up = pivoted.asked.columns
    wide = min(3, len(swept))
    deep = -(-len(swept) // wide)
    keys = [key for points in swept.values() for key in points]
    xs, ys = (sorted({key[i] for key in keys}) for i in (0, 1))
    size = (wide * max(2.6, 0.75 * len(xs) + 0.8) + 1.2, deep * max(2.2, 0.55 * len(ys) + 1.0))
    figure = Figure(figsize=size, layout="constrained")
    panels = figure.subplots(deep, wide, squeeze=False, sharex=True, sharey=True)
    means = [c.mean for points in swept.values() for c in points.values() if c.mean is not None]
    if not means:
        raise UserError(f"--plot={across},{up}: all trials diverged.")
    low, high = min(means), max(means)
    for panel, (row, points) in zip(panels.flat, swept.items(), strict=False):
        grid = [[points.get((x, y)) for x in xs] for y in ys]
        values = np.array([[np.nan if not c or c.mean is None else c.mean for c in line] for line in grid])
        panel.set_facecolor("#dddddd")
        panel.imshow(values, origin="lower", cmap=MAP, vmin=low, vmax=high, aspect="auto")
        for (i, j), value in np.ndenumerate(values):
            _write(panel, (j, i), grid[i][j], (value - low) / (high - low or 1))
        panel.set_title(said(row), fontsize=10)
        panel.set_xticks(range(len(xs)), [number(x) for x in xs])
        panel.set_yticks(range(len(ys)), [number(y) for y in ys])
    for panel in panels.flat[len(swept) :]:
        panel.set_visible(False)
    for i, panel in enumerate(panels.flat[: len(swept)]):
        panel.tick_params(labelbottom=i + wide >= len(swept), labelleft=i % wide == 0)
    figure.supxlabel(across, fontsize=10)
    figure.supylabel(up, fontsize=10)
    figure.colorbar(ScalarMappable(Normalize(low, high), MAP), ax=panels, label=title(pivoted.asked.score))
    return figure


def _write(panel: Axes, at: tuple[int, int], cell: Cell | None, share: float) -> None:
    """A cell's mean in it, light on dark; what has none in words."""
    text = "missing" if cell is None else "diverged" if cell.mean is None else f"{cell.mean:.3f}"
    text += f"\n({cell.diverged} div.)" if cell and cell.mean is not None and cell.diverged else ""
    bright = cell is not None and cell.mean is not None and share < 0.5
    panel.text(*at, text, ha="center", va="center", fontsize=8, color="white" if bright else "black")
