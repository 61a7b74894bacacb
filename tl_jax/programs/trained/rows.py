"""A row an example, as CSV or Parquet."""

import csv
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.kinds.predicting.predictions import plain

Cells = Mapping[str, np.ndarray]
"""{column: [n]}: texts or None, numbers, or truth values."""
EXACT = ("value", "label")


def as_csv(cells: Cells) -> bytes:
    """One line an example, as predictions.csv has them; None is empty."""
    lines = {name: _texts(name, column) for name, column in cells.items()}
    text = io.StringIO()
    sheet = csv.writer(text, lineterminator="\n")
    sheet.writerow(map(plain, lines))
    sheet.writerows(zip(*lines.values(), strict=True))
    return text.getvalue().encode("utf-8", "backslashreplace")


def _texts(name: str, column: np.ndarray) -> list[Any]:
    if column.dtype == object or np.issubdtype(column.dtype, np.str_):
        return ["" if cell is None else plain(cell) for cell in column.tolist()]
    if column.dtype == bool:
        return ["yes" if cell else "no" for cell in column.tolist()]
    if np.issubdtype(column.dtype, np.integer):
        return column.tolist()
    digits = ".8g" if name.rpartition("/")[2] in EXACT else ".6f"
    return [format(cell, digits) for cell in column.tolist()]


def as_parquet(cells: Cells) -> bytes:
    """The same in Parquet. Raises UserError without pyarrow."""
    try:
        import pyarrow as pa
        import pyarrow.parquet as pq
    except ImportError:
        raise UserError("Parquet needs pyarrow: pip install pyarrow. Or write --out=FILE.csv.") from None
    file = io.BytesIO()
    pq.write_table(pa.table({name: column.tolist() for name, column in cells.items()}), file)
    return file.getvalue()


FORMATS = {".csv": as_csv, ".parquet": as_parquet}


def ending(path: str) -> str:
    """.csv or .parquet; '' is CSV. Raises UserError for a file that would be neither."""
    suffix = Path(path).suffix.lower() if path else ".csv"
    if suffix not in FORMATS:
        raise UserError(f"--out={path}: the ending says the format: {' or '.join(FORMATS)}.")
    return suffix
