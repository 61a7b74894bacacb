"""Which rows are for training, validation and test: fixed by a seed, alike in every class."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

FRACTIONS = (0.7, 0.1, 0.2)
HELD_OUT = 0.1
SPLITS = {"train": 0, "validation": 1, "val": 1, "valid": 1, "dev": 1, "test": 2}
"""The names of splits in folders and lists."""


class Rows(NamedTuple):
    """Row numbers of each split, in mixed order."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray


def split(y: np.ndarray, fractions: Sequence[float] = FRACTIONS, *, groups=None, seed: int = 0) -> Rows:
    """Rows of the three splits of labels y [n]: shares `fractions` of every class, or of whole groups.

    y: class numbers (a class of one or two examples goes to train first), or floats, which are split as one.
    groups [n]: anything; the examples of one group then stay together, and classes are as the groups have them.
    """
    rng = np.random.default_rng(seed)
    if groups is not None:
        return _by_group(np.asarray(groups), fractions, rng)
    kinds = strata(y)
    parts, owed = ([], [], []), [0.0, 0.0]
    order = np.argsort(kinds, kind="stable")
    for rows in np.split(order, np.flatnonzero(np.diff(kinds[order])) + 1) if len(order) else []:
        rows = rng.permutation(rows)
        free, taken = len(rows) - 1, []
        for i, share in enumerate((fractions[2], fractions[1])):
            # What rounding took from one class the next one gets, or ten classes of four would have no tenth.
            wanted = share * len(rows) + owed[i]
            taken.append(min(round(wanted), free))
            free, owed[i] = free - taken[i], float(np.clip(wanted - taken[i], -0.5, 0.5))
        test, validation = taken
        for part, some in zip(parts, np.split(rows, [len(rows) - test - validation, len(rows) - test]), strict=True):
            part.append(some)
    return Rows(*(rng.permutation(np.concatenate(part)) for part in parts))


def strata(y: np.ndarray) -> np.ndarray:
    """What is drawn from alike: classes y [n] int as they are, values as one class, unknown ones as another (-1)."""
    return y if np.issubdtype(y.dtype, np.integer) else np.where(np.isnan(y), -1, 0).astype(np.int32)


def _by_group(groups: np.ndarray, fractions: Sequence[float], rng: np.random.Generator) -> Rows:
    """Whole groups, the largest first and equal ones in random order, each to the split that lacks most."""
    names, number = np.unique(groups, return_inverse=True)
    counts = np.bincount(number)
    where, have = np.empty(len(names), np.int64), np.zeros(3)
    mixed = rng.permutation(len(names))
    wanted = np.asarray(fractions) > 0
    for done, group in enumerate(mixed[np.argsort(-counts[mixed], kind="stable")]):
        lacking = np.where(wanted, np.asarray(fractions) * len(groups) - have, -np.inf)
        if len(names) - done <= ((have == 0) & wanted).sum():  # the last groups go where none is yet
            lacking[have > 0] = -np.inf
        where[group] = np.argmax(lacking)
        have[where[group]] += counts[group]
    return Rows(*(rng.permutation(np.flatnonzero(where[number] == part)) for part in range(3)))


def hold_out(y: np.ndarray, share: float = HELD_OUT, *, groups=None, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Rows of train and validation: `share` of every class of y [n], or of whole groups, is held out."""
    rows = split(y, (1 - share, share, 0.0), groups=groups, seed=seed)
    return rows.train, rows.validation


def given(y: np.ndarray, part: np.ndarray, *, groups=None, seed: int = 0) -> Rows:
    """Rows of splits that are given by part [n] (0, 1, 2), mixed; a missing validation split is held out of train.

    groups [n]: what is held out are then whole groups.
    """
    rng = np.random.default_rng(seed)
    train, validation, test = (rng.permutation(np.flatnonzero(part == p)) for p in range(3))
    if not len(validation) and len(train):
        kept, held = hold_out(y[train], groups=None if groups is None else np.asarray(groups)[train], seed=seed)
        train, validation = train[kept], train[held]
    return Rows(train, validation, test)
