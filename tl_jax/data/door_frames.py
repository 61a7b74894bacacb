"""Data frames at the door: columns by their names, rows as x and y have them, and what no feature is."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tl_jax.core.errors import UserError

_UNNAMED = re.compile(r"|Unnamed: \d+")


def framed(x: Any) -> bool:
    """Whether x is a data frame: it has named columns."""
    return hasattr(x, "columns")


def check_rows(where: str, x: Any, y: Any) -> None:
    """Raises UserError for a frame x whose rows are those of y in another order, or that holds y as a feature.

    Rows count by their place, as with scikit-learn: an index is looked at for this mistake alone.
    """
    if framed(x) and hasattr(x, "iloc") and hasattr(y, "iloc"):
        ours, theirs = (np.asarray(one.index) for one in (x, y))
        if not np.array_equal(ours, theirs) and sorted(map(str, ours)) == sorted(map(str, theirs)):
            raise UserError(
                f"{where}: x and y have the same index in another order, and rows count by their place: the labels "
                "would be those of other examples. Write y.loc[x.index]; if they do fit, y.to_numpy()."
            )
    named = [getattr(y, "name", None), *(list(y.columns) if framed(y) else ())]
    for column in (one for one in named if framed(x) and isinstance(one, str) and one in list(x.columns)):
        theirs = np.asarray(y[[column]] if framed(y) else y).reshape(-1)
        if np.array_equal(np.asarray(x[[column]]).reshape(-1).astype(str), theirs.astype(str)):
            raise UserError(f"{where}: the label '{column}' is a column of x, too. Leave it out of the features.")


def in_one_order(
    name: str, given: Mapping[str, Any], columns: Sequence[str]
) -> tuple[dict[str, Any], tuple[str, ...], list[str]]:
    """The columns of data frames in the order of the training split's, their names, and notes.

    An index that was written as a column without a name ('Unnamed: 0') is left out. Raises UserError for other columns
    in another split, and for a name that stands twice.
    """
    named = {split: list(x.columns) for split, x in given.items() if framed(x)}
    if not named:
        return dict(given), tuple(columns), []
    order = named.get("train", next(iter(named.values())))
    if len(set(map(str, order))) < len(order):
        twice = next(c for i, c in enumerate(map(str, order)) if c in map(str, order[:i]))
        raise UserError(f"{name}: the column '{twice}' stands twice. Rename one, or leave it out.")
    for split, ours in named.items():
        if set(map(str, ours)) != set(map(str, order)) or len(ours) != len(order):
            raise UserError(
                f"{name}: the columns of the {split} split ({ours[:6]}) are not those of train ({order[:6]})."
            )
    first = next(x for x in given.values() if framed(x))
    kept = [column for column in order if not _is_index(first, column)]
    left = [str(column) for column in order if column not in kept]
    notes = [f"column '{column}', an index without a name, was left out" for column in left if len(kept)]
    kept = kept or order
    return {split: x[kept] if split in named else x for split, x in given.items()}, tuple(map(str, kept)), notes


def _is_index(x: Any, column: Any) -> bool:
    """Whether a column without a name tells every row from the others."""
    if not _UNNAMED.fullmatch(str(column)):
        return False
    values = np.asarray(x[[column]]).reshape(-1)
    return len(set(map(str, values))) == len(values)
