"""Labels as files hold them: with blanks around them, or with a mark where nobody knows the label."""

from collections.abc import Sequence

import numpy as np

from tl_jax.core.errors import UserError

MARKS = frozenset(
    ("", "?", ".", "-", "NA", "na", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "NAN", "-nan", "-NaN", "NULL")
) | {"null", "None", "NONE"}
"""What stands in a table where a value is missing: what pandas, R and SPSS write, and '?'."""
POLICIES = ("ask", "keep", "drop", "class")
"""?unlabelled=: examples whose label is missing are asked about, kept as unlabelled, left out, or a class."""


def stripped(labels: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Labels [n] without blanks around names, and a note of how many had some; bytes become text."""
    if np.issubdtype(labels.dtype, np.bytes_):
        labels = np.char.decode(labels, "utf-8", "replace")
    if not np.issubdtype(labels.dtype, np.str_):
        return labels, []
    bare = np.array([label.strip() for label in labels.tolist()], dtype=np.str_)
    changed = int((bare != labels).sum())
    return bare, [f"blanks around {changed} of {len(labels)} labels were left out"] if changed else []


def missing(labels: np.ndarray, named: bool, values: bool) -> np.ndarray:
    """Which labels [n] are missing: NaN, a mark, or -1 among class numbers; bool [n].

    -1 is a mark where classes are named, where it is all there is, or where the others count from 0 or 1 without a
    gap; beside 1 alone it is a class, as in files of two classes. values: labels are values, among which it is one.
    """
    if np.issubdtype(labels.dtype, np.str_):
        return np.isin(labels, list(MARKS))
    lost = is_nan(labels)
    if labels.dtype.kind not in "fi" or values:
        return lost
    negative = labels == -1
    others = np.unique(labels[~negative & ~lost])
    counted = len(others) > 0 and others[0] in (0, 1) and np.array_equal(others, others[0] + np.arange(len(others)))
    pair = len(others) == 1 and others[0] == 1
    return lost | negative if named or not len(others) or (counted and not pair) else lost


def is_nan(labels: np.ndarray) -> np.ndarray:
    """Which labels [n] are NaN; none of those that are no floats."""
    return np.isnan(labels) if np.issubdtype(labels.dtype, np.floating) else np.zeros(len(labels), bool)


def ask(name: str, labels: np.ndarray, lost: np.ndarray, ids: np.ndarray, how: str) -> UserError:
    """The message for labels of which some are missing. how: whether the reader knows ?unlabelled=."""
    marks = ", ".join(repr(str(mark)) for mark in np.unique(labels[lost])[:4])
    option = (
        " Say ?unlabelled=keep (&unlabelled=keep after another option) to keep these examples without a label, "
        "unlabelled=drop to leave them out, or unlabelled=class if the mark is the name of a class."
    )
    return UserError(
        f"{name}: {int(lost.sum())} of {len(labels)} labels are missing or a mark for it ({marks}; "
        f"{some(ids[lost].tolist())})."
        f"{option if how else ' Fill in or leave out these examples.'}"
    )


def some(ids: Sequence[object], most: int = 3) -> str:
    """The first of them in one line."""
    return ", ".join(map(str, ids[:most])) + (", ..." if len(ids) > most else "")
