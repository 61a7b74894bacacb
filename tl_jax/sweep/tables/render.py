"""A table of means as text, with what stands beside them and what all of it is."""

from collections.abc import Sequence
from typing import NamedTuple

from tl_jax.run.report.table import Table
from tl_jax.sweep.tables.choose import CHOICES, CRITERION
from tl_jax.sweep.tables.compare import Compared
from tl_jax.sweep.tables.pivot import Cell, Key, Pivot, mean_of
from tl_jax.sweep.tables.ranks import Ranked
from tl_jax.sweep.tables.words import MISSING, named, number, said, settled, shortened

AVERAGED = ("pair", "target", "source")
"""Columns over which a mean of means says something."""


class Beside(NamedTuple):
    """What a table shows beside the means; level: of the confidence interval, 0 for the standard deviation."""

    compared: Compared | None = None
    ranked: Ranked | None = None
    level: float = 0
    notes: Sequence[str] = ()


NOTHING = Beside()


def table(pivoted: Pivot, beside: Beside = NOTHING, plus_minus: str = " ± ") -> Table:
    """The cells as text, and what they are."""
    averaged = len(pivoted.columns) > 1 and bool(set(pivoted.asked.columns) & set(AVERAGED))
    usual = max((len(cell.scores) for cell in pivoted.cells.values()), default=0)
    means = {row: mean_of(pivoted, row) for row in pivoted.rows} if averaged else {}
    columns, start = shortened(pivoted.asked.columns, pivoted.columns)
    rows, begin = shortened(pivoted.asked.rows, pivoted.rows)
    head = [
        *pivoted.asked.rows,
        *(named(pivoted.asked.columns, column) or "score" for column in columns),
        *["average"] * averaged,
        *["rank"] * bool(beside.ranked),
        *["p"] * bool(beside.compared),
    ]
    body = []
    for row, shown in zip(pivoted.rows, rows, strict=True):
        line = [number(one) for one in shown]
        for column in pivoted.columns:
            line.append(_text(pivoted.cells.get((row, column)), usual, plus_minus, beside.level))
        if averaged:
            line.append(MISSING if (mean := means[row]) is None else f"{mean:.3f}")
        line += [beside.ranked.shown(row)] if beside.ranked else []
        line += [beside.compared.shown(row)] if beside.compared else []
        body.append(line)
    if by_domain(pivoted) and len(rows) > 1:
        turned = pivoted._replace(
            rows=pivoted.columns, columns=pivoted.rows, cells={(c, r): cell for (r, c), cell in pivoted.cells.items()}
        )
        means = [mean_of(turned, column) for column in pivoted.columns]
        average = ["average", *[""] * (len(pivoted.asked.rows) - 1)]
        average += [MISSING if mean is None else f"{mean:.3f}" for mean in means]
        body.append(average + [""] * (len(head) - len(average)))
    domains = "".join(f"\nDomains are of {one.rstrip('/:')}." for one in {start, begin} - {""})
    return Table([head, *body], _note(pivoted, usual, beside) + domains)


def by_domain(pivoted: Pivot) -> bool:
    """Whether the rows are domains, and the columns what is compared on them."""
    return bool(set(pivoted.asked.rows) & set(AVERAGED)) and not set(pivoted.asked.columns) & set(AVERAGED)


def _text(cell: Cell | None, usual: int, plus_minus: str, level: float) -> str:
    if cell is None:
        return MISSING
    few = [f"n={len(cell.scores)}"] * (0 < len(cell.scores) < usual)
    dead = [f"{cell.diverged} diverged"] * bool(cell.diverged)
    words = ", ".join([*few, *dead, *filter(None, [settled(cell)])])
    more = f" ({words})" if words else ""
    if cell.mean is None:
        return words if cell.diverged else f"{MISSING}{more}"
    width = cell.half_width(level) if level else cell.deviation
    return f"{cell.mean:.3f}{'' if width is None else f'{plus_minus}{width:.3f}'}{more}"


def spread_of(usual: int, level: float) -> str:
    """What stands behind ±, for cells of so many seeds."""
    if usual < 2:
        return "one seed, so no spread"
    if level:
        return f"mean ± half width of the {100 * level:g} % confidence interval (Student's t over {usual} seeds)"
    return f"mean ± sample standard deviation over {usual} seeds"


def _note(pivoted: Pivot, usual: int, beside: Beside) -> str:
    selector, _, metric = pivoted.asked.score.partition("/")
    by = f" (by {', '.join(pivoted.criteria)})" if selector == "selected" and pivoted.criteria else ""
    spread = spread_of(usual, beside.level)
    lines = [f"{metric}, {selector}{by}: {spread}; {'higher' if pivoted.higher else 'lower'} is better."]
    if pivoted.asked.best:
        tried: dict[Key, set[int]] = {}
        for (row, _), cell in pivoted.cells.items():
            tried.setdefault(row, set()).add(cell.tried)
        between, end = (" ", ", ") if len(pivoted.asked.rows) == 1 else (": ", "; ")
        counts = end.join(f"{said(row)}{between}{'/'.join(map(str, sorted(n)))}" for row, n in tried.items())
        choose = pivoted.asked.choose or (CRITERION,)
        by = CHOICES[choose[0]] if len(choose) == 1 else "; by ".join(f"{one}: {CHOICES[one]}" for one in choose)
        lines.append(f"{', '.join(pivoted.asked.best)}: chosen for each cell by {by}; settings tried: {counts}.")
    dead = sum(cell.diverged for cell in pivoted.cells.values())
    if dead:
        lines.append(f"{dead} trials diverged; no mean has them, and no average or rank has their cells.")
    beneath = [one.note for one in (beside.ranked, beside.compared) if one]
    return "\n".join([*lines, *beneath, *beside.notes])
