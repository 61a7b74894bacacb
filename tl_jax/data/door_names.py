"""Names of classes and of examples' labels as they are handed over: one spelling of each, and no mark among them."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.files.marks import MARKS, respelled, same_number, spelled


def class_list(name: str, classes: Any) -> tuple[str, ...]:
    """Class names as a tuple of texts. Raises UserError for one that stands twice, one class alone, or no list."""
    if isinstance(classes, str | bytes | set | frozenset | Mapping) or not hasattr(classes, "__iter__"):
        raise UserError(f"{name}: classes={classes!r}; a list of names is needed, () for values, None to find them.")
    names = tuple(map(text_of, classes))
    if twice := [c for i, c in enumerate(names) if c in names[:i]]:
        raise UserError(f"{name}: the class '{twice[0]}' is named twice.")
    if len(names) == 1:
        raise UserError(f"{name}: one class ({names[0]}); at least two are needed.")
    return names


def text_of(label: Any) -> str:
    """A label as the name that it is: 1.0 is '1', bytes are text; as it is `spelled`."""
    if isinstance(label, bytes):
        return spelled(label.decode(errors="replace"))
    whole = isinstance(label, float | np.floating) and label.is_integer()
    return spelled(str(int(label) if whole else label))


def read_names(y: np.ndarray) -> np.ndarray:
    """Names [n] as an array of objects, None where unknown."""
    missing = lambda v: v is None or type(v).__name__ in ("NAType", "NaTType") or v != v
    return np.array([*(None if missing(v) else text_of(v) for v in y), None], object)[:-1]


def remarks(given: Mapping[str, np.ndarray], flat: Mapping[str, np.ndarray]) -> list[str]:
    """What is said of names that were not as they are `spelled`: those handed over, and as they are."""
    pairs = [
        (old, new)
        for split, y in given.items()
        if split == "train" or not np.array_equal(flat[split], flat["train"])  # one and the same, handed over thrice
        for old, new in zip(y, flat[split], strict=True)
        if isinstance(old, str) and new is not None
    ]
    return respelled(*map(list, zip(*pairs, strict=True))) if pairs else []


def refuse_marks(name: str, every: np.ndarray) -> None:
    """Raises UserError for names [n] that mark a missing label, and for two that are one number."""
    if marks := sorted({str(label) for label in every if label in MARKS}):
        shown = " and ".join(map(repr, marks[:4]))
        raise UserError(
            f"{name}: labels such as {shown} mark a missing one. Hand over None (or NaN) in their place, or, where one "
            "is the name of a class, all names: classes=[...]."
        )
    if twins := same_number(sorted(set(every))):
        raise UserError(f"{name}: the labels {twins} are one number written in two ways. Write them alike.")


def far_off(values: np.ndarray) -> list[str]:
    """A note of values [n] so far from the others (30 times the width of the middle half) that they may be marks."""
    some = values[np.isfinite(values)] if np.issubdtype(values.dtype, np.floating) else values[:0]
    if not len(some):
        return []
    low, middle, high = np.percentile(some, (25, 50, 75))
    far = some[np.abs(some - middle) > 30 * (high - low)] if high > low else some[:0]
    if not len(far):
        return []
    return [f"labels such as {far.min():g} are far from all others: a mark of a missing value?"]


def of_classes(names: Sequence[str], y: Mapping[str, np.ndarray]) -> list[str]:
    """Notes of classes that are spelled like another but for capitals, that have no example, or none in training."""
    folded = Counter(map(str.casefold, names))
    twins = [name for name in names if folded[name.casefold()] > 1]
    notes = [f"{len(twins)} classes differ by upper and lower case alone: {', '.join(twins[:4])}"] if twins else []
    held = {split: set(np.unique(part[part >= 0]).tolist()) for split, part in y.items()}
    every = set[int]().union(*held.values())
    if every and (absent := [name for number, name in enumerate(names) if number not in every]):
        notes.append(f"{len(absent)} of {len(names)} classes have no example: {', '.join(absent[:4])}")
    if held["train"] and (lacking := sorted(every - held["train"])):
        shown = ", ".join(names[int(c)] for c in lacking[:4])
        notes.append(f"{len(lacking)} of {len(names)} classes ({shown}) have examples to test on, and none in train")
    return notes
