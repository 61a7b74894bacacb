"""A table of means for a terminal, a page, a paper and a program; rows of trials as CSV and Parquet."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tl_jax.core.files import write_atomically
from tl_jax.core.printable import markdown
from tl_jax.run.report.table import Table
from tl_jax.sweep.tables.collect import Row, columns
from tl_jax.sweep.tables.compare import Compared
from tl_jax.sweep.tables.pivot import Cell, Key, Pivot, mean_of

MISSING = "missing"
AVERAGED = ("pair", "target", "source")
"""Columns over which a mean of means says something."""


def table(
    pivoted: Pivot, compared: Compared | None = None, notes: Sequence[str] = (), plus_minus: str = " ± "
) -> Table:
    """The cells as text, and what they are."""
    averaged = len(pivoted.columns) > 1 and bool(set(pivoted.asked.columns) & set(AVERAGED))
    usual = max((len(cell.scores) for cell in pivoted.cells.values()), default=0)
    head = [
        *pivoted.asked.rows,
        *(_head(pivoted.asked.columns, column) for column in pivoted.columns),
        *["average"] * averaged,
        *["p"] * bool(compared),
    ]
    body = []
    for row in pivoted.rows:
        line = ["-" if one is None else _number(one) for one in row]
        for column in pivoted.columns:
            line.append(_text(pivoted.cells.get((row, column)), usual, plus_minus))
        if averaged:
            mean = mean_of(pivoted, row)
            line.append(MISSING if mean is None else f"{mean:.3f}")
        if compared:
            line.append(compared.shown(row))
        body.append(line)
    return Table([head, *body], _note(pivoted, usual, compared, notes))


def places(pivoted: Pivot, column: Key) -> dict[Key, int]:
    """{row: 1 or 2} of the best and the second by their means as shown; equal ones share a place."""
    means = {row: cell.mean for row in pivoted.rows if (cell := pivoted.cells.get((row, column)))}
    shown = {row: round(mean, 3) for row, mean in means.items() if mean is not None}
    order = sorted(set(shown.values()), reverse=pivoted.higher)[:2]
    return {row: order.index(mean) + 1 for row, mean in shown.items() if mean in order} if len(shown) > 1 else {}


def _said(key: Key) -> str:
    return ", ".join("-" if one is None else _number(one) for one in key)


def _head(names: Sequence[str], key: Key) -> str:
    """'near -> far', 'lam=0.1': numbers with their name."""
    said = [
        f"{name}={_number(one)}" if isinstance(one, int | float) else _said((one,))
        for name, one in zip(names, key, strict=True)
    ]
    return ", ".join(said) or "score"


def _number(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _text(cell: Cell | None, usual: int, plus_minus: str) -> str:
    if cell is None:
        return MISSING
    beside = [f"n={len(cell.scores)}"] * (0 < len(cell.scores) < usual) + [f"{cell.diverged} diverged"] * bool(
        cell.diverged
    )
    chosen = [f"{name}={_number(value)}" for name, value in cell.chosen.items() if value is not None]
    more = f" ({', '.join([*beside, *chosen])})" if beside or chosen else ""
    if cell.mean is None:
        return f"{MISSING}{more}" if not cell.diverged else more.strip(" ()")
    spread = "" if cell.deviation is None else f"{plus_minus}{cell.deviation:.3f}"
    return f"{cell.mean:.3f}{spread}{more}"


def _note(pivoted: Pivot, usual: int, compared: Compared | None, notes: Sequence[str]) -> str:
    selector, _, metric = pivoted.asked.score.partition("/")
    by = f" (by {', '.join(pivoted.criteria)})" if selector == "selected" and pivoted.criteria else ""
    spread = f"mean ± sample standard deviation over {usual} seeds" if usual > 1 else "one seed, so no spread"
    lines = [f"{metric}, {selector}{by}: {spread}; {'higher' if pivoted.higher else 'lower'} is better."]
    if pivoted.asked.best:
        tried: dict[Key, set[int]] = {}
        for (row, _), cell in pivoted.cells.items():
            tried.setdefault(row, set()).add(cell.tried)
        counts = ", ".join(f"{_said(row)} {'/'.join(map(str, sorted(n)))}" for row, n in tried.items())
        lines.append(
            f"{', '.join(pivoted.asked.best)}: chosen for each cell by the mean of the criterion's own score over the "
            f"seeds, without test labels; settings tried: {counts}."
        )
    dead = sum(cell.diverged for cell in pivoted.cells.values())
    if dead:
        lines.append(f"{dead} trials diverged; no mean has them.")
    return "\n".join([*lines, *([compared.note] if compared else []), *notes])


def as_markdown(pivoted: Pivot, compared: Compared | None = None, notes: Sequence[str] = ()) -> str:
    """The best of a column bold, the second underlined."""
    found = table(pivoted, compared, notes)
    ranks = [places(pivoted, column) for column in pivoted.columns]
    first = len(pivoted.asked.rows)
    marked = {1: "**{}**".format, 2: "<u>{}</u>".format}
    lines = ["| " + " | ".join(map(markdown, found.cells[0])) + " |", "|" + " --- |" * len(found.cells[0])]
    for key, line in zip(pivoted.rows, found.cells[1:], strict=True):
        cells = [markdown(cell) for cell in line]
        for i, ranked in enumerate(ranks):
            if key in ranked:
                cells[first + i] = marked[ranked[key]](cells[first + i])
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n\n" + "\n\n".join(map(markdown, found.note.splitlines())) + "\n"


def as_latex(pivoted: Pivot, compared: Compared | None = None, notes: Sequence[str] = ()) -> str:
    """For booktabs: \\usepackage{booktabs}."""
    found = table(pivoted, compared, notes, plus_minus="\0")
    ranks = [places(pivoted, column) for column in pivoted.columns]
    first = len(pivoted.asked.rows)
    lines = [r"\begin{tabular}{" + "l" * first + "c" * (len(found.cells[0]) - first) + "}", r"\toprule"]
    lines += [" & ".join(map(tex, found.cells[0])) + r" \\", r"\midrule"]
    for key, line in zip(pivoted.rows, found.cells[1:], strict=True):
        cells = [tex(cell).replace("\0", r" $\pm$ ") for cell in line]
        for i, ranked in enumerate(ranks):
            if key in ranked:
                command = {1: r"\textbf", 2: r"\underline"}[ranked[key]]
                cells[first + i] = f"{command}{{{cells[first + i]}}}"
        lines.append(" & ".join(cells) + r" \\")
    said = [f"% {tex(line)}" for line in found.note.splitlines()]
    return "\n".join([*said, *lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


_TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "->": r"$\to$", "±": r"$\pm$"}
_TEX |= {sign: f"\\{sign}" for sign in "&%$#_{}"} | {"<": r"\textless{}", ">": r"\textgreater{}"}


def tex(text: str) -> str:
    """Text of a cell for LaTeX."""
    out, i = [], 0
    while i < len(text):
        step = 2 if text[i : i + 2] in _TEX else 1
        out.append(_TEX.get(text[i : i + step], text[i : i + step]))
        i += step
    return "".join(out)


def as_csv(pivoted: Pivot) -> str:
    """A line a cell; what is missing has n = 0."""
    asked = pivoted.asked
    head = [
        *asked.rows,
        *asked.columns,
        "mean",
        "std",
        "n",
        "diverged",
        *(f"best {n}" for n in asked.best),
        "tried",
        "runs",
    ]
    lines = []
    for row in pivoted.rows:
        for column in pivoted.columns:
            cell = pivoted.cells.get((row, column), Cell({}, 0, {}, 0, ()))
            chosen = [cell.chosen.get(name) for name in asked.best]
            line = [cell.mean, cell.deviation, len(cell.scores), cell.diverged, *chosen, cell.tried]
            lines.append([*row, *column, *line, " ".join(cell.digests)])
    return written(head, lines)


def written(head: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    """CSV."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\n").writerows([head, *lines])
    return file.getvalue()


def keep_rows(folder: Path, rows: Sequence[Row]) -> list[str]:
    """Write rows of trials as trials.csv, and trials.parquet where pyarrow is installed; returns what was written, in
    words."""
    head = columns(rows)
    write_atomically(folder / "trials.csv", written(head, [[row.get(name) for name in head] for row in rows]).encode())
    said = [f"{folder / 'trials.csv'}: {len(rows)} trials"]
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        return [*said, "no Parquet: pyarrow is not installed"]
    file = io.BytesIO()
    pq.write_table(pa.table({name: _column([row.get(name) for row in rows]) for name in head}), file)
    write_atomically(folder / "trials.parquet", file.getvalue())
    return [*said, str(folder / "trials.parquet")]


def _column(values: list[Any]) -> list[Any]:
    """Of one type: numbers where all are, else texts."""
    kinds = {type(value) for value in values if value is not None}
    if kinds <= {int, float} and float in kinds:
        return [None if value is None else float(value) for value in values]
    return values if len(kinds) < 2 else [None if value is None else str(value) for value in values]
