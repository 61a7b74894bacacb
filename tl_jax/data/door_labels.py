"""The door of labels: class numbers or values from what is handed over, whatever its type and shape."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tl_jax.core.errors import UserError, unknown
from tl_jax.data.door import plain
from tl_jax.data.door_names import class_list, far_off, of_classes, read_names, refuse_marks, remarks
from tl_jax.data.files.marks import minus_one

UNKNOWN = -1
"""The class number of an example whose class nobody knows; an unknown value is NaN."""
MOST_FOUND = 10
"""Up to this many different whole numbers are classes without being asked about."""
_EXACT = 2.0**53
"""Below this every whole number is one of its own in 64 bits."""


def known(y: np.ndarray) -> np.ndarray:
    """Which labels y [n] are known: bool [n]."""
    return np.isfinite(y) if np.issubdtype(y.dtype, np.floating) else y >= 0


def labels(
    name: str, given: Mapping[str, Any], sizes: Mapping[str, int], classes: Any
) -> tuple[tuple[str, ...], dict[str, np.ndarray], list[str]]:
    """Class names and {split: y int32 [n], -1 where unknown}, or () and {split: float32 [n], NaN where unknown}; notes.

    given: {split: y or None}: numbers, names, one column or one column a class; sizes: how many examples a split has.
    classes: their names in order, () for values, None for those found. Where no label is known y is int32.
    Raises UserError for numbers that count off no class, unknown names, and lengths or shapes that do not fit.
    """
    names = None if classes is None else class_list(name, classes)
    flat: dict[str, np.ndarray] = {}
    written: dict[str, np.ndarray] = {}
    for split, y in given.items():
        where = f"{name}, {split} split"
        if y is None:
            flat[split] = np.full(sizes[split], np.nan)
            continue
        columns, y = getattr(y, "columns", None), plain(f"{name}, y of the {split} split", y)
        if y.ndim == 2 and y.shape[1] == 1:
            y = y[:, 0]
        if y.ndim == 2:
            if columns is not None and names is None:
                names = class_list(name, list(columns))
            y = _of_columns(where, y, names, None if columns is None else list(map(str, columns)))
        if y.ndim != 1 or len(y) != sizes[split]:
            raise UserError(f"{where}: {sizes[split]} examples, but y has shape {list(y.shape)}; y [n] is needed.")
        flat[split], written[split] = _plain_labels(where, y, names is None), y
    notes = remarks({split: y for split, y in written.items() if flat[split].dtype == object}, flat)
    _check_signs(name, flat, names)
    if names is None:
        names, flat = _found(name, flat)
    if names:
        _check_order(name, flat, names)
        found = {split: _numbered(f"{name}, {split} split", y, names) for split, y in flat.items()}
        return names, found, [*notes, *of_classes(names, found)]
    values = _values(name, flat)
    return (), values, [*notes, *far_off(np.concatenate(list(values.values())))]


def _of_columns(where: str, y: np.ndarray, names: Sequence[str] | None, columns: list[str] | None) -> np.ndarray:
    """One column a class [n, K] -> class numbers [n]. Raises UserError where a row has not exactly one 1."""
    fits = names is None or len(names) == y.shape[1]
    one = fits and y.dtype.kind in "fiub" and bool((((y == 0) | (y == 1)).all(1) & (y.sum(1) == 1)).all())
    if not one:
        several = " Several values an example are several tasks: a Domain for each column, and fit_tasks."
        raise UserError(
            f"{where}: y has shape {list(y.shape)}; y [n] is needed, or one column of 0 and 1 for each class, with one "
            f"1 a row.{several if names == () else ''}"
        )
    number = y.argmax(1)
    if columns is None or names is None or set(columns) != set(names):
        return number
    return np.array([names.index(column) for column in columns])[number]


def _plain_labels(where: str, y: np.ndarray, find: bool) -> np.ndarray:
    """Numbers as float64 or integers, NaN or -1 where unknown; names as an array of objects, None where unknown.

    find: the classes are those found. Raises UserError for what is no label, or may be -1 in a type that has none.
    """
    if y.dtype.kind in "OUST":
        return read_names(y)
    if y.dtype.kind not in "fiub":
        raise UserError(f"{where}: labels of type {y.dtype}; numbers or names are needed.")
    if np.issubdtype(y.dtype, np.floating) and np.isinf(y).any():
        raise UserError(f"{where}: the label of example {int(np.isinf(y).argmax())} is infinite.")
    wrapped = np.issubdtype(y.dtype, np.unsignedinteger) and minus_one(y)
    if np.any(wrapped) and (y.max() > np.iinfo(np.int64).max or (find and len(np.unique(y)) != 2)):
        raise UserError(
            f"{where}: {int(np.sum(wrapped))} labels are {y.max()}, which is what -1 (unknown) becomes in {y.dtype}. "
            "Write -1 in a signed type, or, if it is a class, name the classes (classes=[...])."
        )
    return y.astype(np.int64) if y.dtype.kind in "iub" else y.astype(np.float64)


def _found(name: str, flat: Mapping[str, np.ndarray]) -> tuple[tuple[str, ...], dict[str, np.ndarray]]:
    """The classes that the labels of all splits have, and those labels numbered; () where they are values."""
    flat = _counted(name, flat)
    there = [y[known(y)] if y.dtype != object else y[y != None] for y in flat.values()]  # noqa: E711  # by element
    there = [y for y in there if len(y)]
    if not there:
        return (), dict(flat)
    if len({y.dtype == object for y in there}) > 1:
        raise UserError(f"{name}: labels are names in one split and numbers in another.")
    every = np.concatenate(there)
    if every.dtype == object:
        refuse_marks(name, every)
        return class_list(name, sorted(set(every))), dict(flat)
    distinct = np.unique(every)
    if not np.array_equal(distinct, np.rint(distinct)):
        return (), dict(flat)
    if len(distinct) > max(MOST_FOUND, len(every) / 2):
        raise UserError(
            f"{name}: {len(distinct)} different whole numbers label {len(every)} examples: are they values, not "
            "classes? Say classes=() for values, or name the classes."
        )
    place = lambda y: np.where(known(y), np.searchsorted(distinct, np.where(known(y), y, distinct[0])), UNKNOWN)
    names = class_list(name, [str(int(v)) for v in distinct])
    return names, {split: y if y.dtype == object else place(y) for split, y in flat.items()}


def _counted(name: str, flat: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """The labels, floats that are all whole as integers. Raises UserError for whole numbers below -1."""
    numbers = [y[np.isfinite(y)] for y in flat.values() if y.dtype != object]
    every = np.concatenate(numbers) if numbers else np.zeros(0)
    if not len(every) or (every != np.rint(every)).any() or np.abs(every).max() >= _EXACT:
        return dict(flat)
    if every.min() < UNKNOWN:
        raise UserError(
            f"{name}: a label is {every.min():g}. Classes that are numbers count from 0, and -1 marks an unknown one: "
            "write -1 for what is missing, give names (y.astype(str)), or say classes=() for values."
        )
    whole = lambda y: np.where(np.isnan(y), UNKNOWN, y).astype(np.int64) if np.issubdtype(y.dtype, np.floating) else y
    return {split: whole(y) for split, y in flat.items()}


def _numbered(where: str, y: np.ndarray, names: Sequence[str]) -> np.ndarray:
    """Class numbers int32 [n], -1 where unknown."""
    if y.dtype == object:
        place = {label: number for number, label in enumerate(names)} | {None: UNKNOWN}
        if strange := [v for v in y if v not in place]:
            raise unknown(f"class in {where}:", strange[0], names)
        return np.array([place[v] for v in y], np.int32)
    y = np.where(np.isnan(y), UNKNOWN, y) if np.issubdtype(y.dtype, np.floating) else y
    off = (y < UNKNOWN) | (y >= len(names)) | (y != np.rint(y))
    if off.any():
        row, one = int(off.argmax()), y[y != UNKNOWN].min() == 1 and y.max() == len(names)
        fix = f" They run from 1 to {len(names)}: write y - 1." if one else ""
        raise UserError(
            f"{where}: the label of example {row} is {y[row]:g}; class numbers are whole, from 0 to {len(names) - 1} "
            f"for {len(names)} classes, and -1 where the class is unknown.{fix}"
        )
    return y.astype(np.int32)


def _check_signs(name: str, flat: Mapping[str, np.ndarray], names: Sequence[str] | None) -> None:
    """Raises UserError where two classes look like -1 and 1, since -1 stands for an unknown class."""
    if names is not None and len(names) != 2:
        return
    numbers = [np.unique(y) for y in flat.values() if y.dtype != object]
    if numbers and set(np.concatenate(numbers).tolist()) == {-1, 1}:
        raise UserError(f"{name}: labels are -1 and 1, but -1 marks an unknown class. Write (y > 0).astype(int).")


def _check_order(name: str, flat: Mapping[str, np.ndarray], names: Sequence[str]) -> None:
    """Raises UserError where numbers may be the names of classes as well as their places, and it makes a difference."""
    if not all(c.isdecimal() for c in names) or tuple(names) == tuple(map(str, range(len(names)))):
        return
    used = {v for y in flat.values() if y.dtype != object for v in np.unique(y[known(y)]).tolist()}
    if used and 0 not in used and all(str(int(v)) in names for v in used):
        raise UserError(
            f"{name}: labels such as {max(used):g} may be class names or class numbers; by number they begin with 0 "
            f"(which is class {names[0]}), and none is 0. Give names as texts (y.astype(str)), or classes=None."
        )


def _values(name: str, flat: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Values float32 [n]; class numbers of -1 where nothing is known."""
    if any(y.dtype == object and any(v is not None for v in y) for y in flat.values()):
        raise UserError(f"{name}: classes=() means that labels are values, but they are names. Say classes=None.")
    flat = {split: np.full(len(y), np.nan) if y.dtype == object else y for split, y in flat.items()}
    given = lambda y: (y != UNKNOWN) if np.issubdtype(y.dtype, np.signedinteger) else known(y)
    if not any(given(y).any() for y in flat.values()):
        return {split: np.full(len(y), UNKNOWN, np.int32) for split, y in flat.items()}
    with np.errstate(over="ignore"):
        out = {split: y.astype(np.float32) for split, y in flat.items()}
    for split, y in out.items():
        if np.isinf(y).any():
            raise UserError(f"{name}, {split} split: the label of example {int(np.isinf(y).argmax())} is too large.")
    return out
