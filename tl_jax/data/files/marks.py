"""Labels as files hold them: with blanks around them, or with a mark where nobody knows the label."""

import re
import unicodedata
from collections.abc import Sequence
from decimal import Decimal

import numpy as np

from tl_jax.core.errors import UserError

MARKS = frozenset(
    ("", "?", ".", "-", "NA", "na", "N/A", "n/a", "#N/A", "#NA", "<NA>", "NaN", "nan", "NAN", "-nan", "-NaN", "NULL")
) | {"null", "None", "NONE", "-2147483648", "-9223372036854775808"}
"""What stands in a table where a value is missing: what pandas, R and SPSS write, '?', and NaN made a whole number."""
LEAST = (-(2.0**31), -(2.0**63))
"""What NaN becomes as a whole number of 32 and of 64 bits."""
_AROUND = "[\\s\u200b\u200e\u200f\u2060\ufeff]+"
_ENDS = re.compile(f"^{_AROUND}|{_AROUND}$")
POLICIES = ("ask", "keep", "drop", "class")
"""?unlabelled=: examples whose label is missing are asked about, kept as unlabelled, left out, or a class."""


def spelled(label: str) -> str:
    """A name without blanks or signs of no width around it, its accents in one Unicode form (NFC)."""
    return _ENDS.sub("", label if label.isascii() else unicodedata.normalize("NFC", label))


def stripped(labels: np.ndarray) -> tuple[np.ndarray, list[str]]:
    """Labels [n] as they are `spelled`, and notes of how many were not so; bytes become text."""
    if np.issubdtype(labels.dtype, np.bytes_):
        labels = np.char.decode(labels, "utf-8", "replace")
    if not np.issubdtype(labels.dtype, np.str_):
        return labels, []
    bare = np.array([spelled(label) for label in labels.tolist()], dtype=np.str_)
    return bare, respelled(labels.tolist(), bare.tolist())


def respelled(before: Sequence[str], after: Sequence[str]) -> list[str]:
    """What is said of labels that were not as they are `spelled`."""
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    forms = sum(len(old.strip()) != len(old) for old, _ in changed)
    notes = [f"blanks around {forms} of {len(before)} labels were left out"] * (forms > 0)
    if others := len(changed) - forms:
        notes.append(f"{others} of {len(before)} labels were brought to one Unicode form (NFC, no signs of no width)")
    return notes


def same_number(names: Sequence[str]) -> str:
    """ "'1' and '1.0'": two names of one number; '' where there are none."""
    seen: dict[Decimal, str] = {}
    for name in names:
        if re.fullmatch(r"[-+]?\d+(\.\d*)?", name) and seen.setdefault(Decimal(name), name) != name:
            return f"'{seen[Decimal(name)]}' and '{name}'"
    return ""


def missing(labels: np.ndarray, named: bool, values: bool) -> np.ndarray:
    """Which labels [n] are missing: NaN, a mark, or -1 among class numbers; bool [n].

    -1 (in an unsigned type the greatest number) is a mark where classes are named, where it is all there is, or where
    the others count from 0 or 1 without a gap, and so is there any one number below 0; beside 1 alone it is a class,
    as in files of two classes. values: labels are values, among which it is one.
    """
    if np.issubdtype(labels.dtype, np.str_):
        return np.isin(labels, list(MARKS))
    lost = is_nan(labels) | (np.isin(labels, LEAST) if labels.dtype.kind in "fi" else False)
    if labels.dtype.kind not in "fiu" or values:
        return lost
    negative = minus_one(labels)
    if not named and not negative.any() and len(np.unique(labels[~lost & (labels < 0)])) == 1 and labels.max() >= 0:
        negative = labels < 0
    others = np.unique(labels[~negative & ~lost])
    counted = len(others) > 0 and others[0] in (0, 1) and np.array_equal(others, others[0] + np.arange(len(others)))
    pair = len(others) == 1 and (others[0] == 1 or np.issubdtype(labels.dtype, np.unsignedinteger))
    return lost | negative if named or not len(others) or (counted and not pair) else lost


def minus_one(labels: np.ndarray) -> np.ndarray:
    """Which labels [n] are -1, or what it becomes in an unsigned type (unless they count up to that)."""
    if not np.issubdtype(labels.dtype, np.unsignedinteger):
        return labels == -1
    top = np.iinfo(labels.dtype).max
    return (labels == top) & (labels != top - 1).all()


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
