"""Tables and rows of trials for programs: CSV, and Parquet where pyarrow is installed."""

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tl_jax.core.files import write_atomically
from tl_jax.sweep.tables.collect import Row, columns
from tl_jax.sweep.tables.pivot import Cell, Pivot


def as_csv(pivoted: Pivot, level: float = 0) -> str:
    """A line a cell; what is missing has n = 0. level: of an interval; its half width is one column more."""
    asked = pivoted.asked
    head = [
        *asked.rows,
        *asked.columns,
        "mean",
        "std",
        *[f"half width of {level:g}"] * bool(level),
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
            width = [cell.half_width(level)] if level else []
            line = [cell.mean, cell.deviation, *width, len(cell.scores), cell.diverged, *chosen, cell.tried]
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
