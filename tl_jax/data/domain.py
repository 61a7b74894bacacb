"""A domain: named classes and fixed splits of examples, in memory or memory-mapped."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.door import inputs
from tl_jax.data.door_frames import check_rows
from tl_jax.data.door_labels import UNKNOWN as UNKNOWN
from tl_jax.data.door_labels import known as known
from tl_jax.data.door_labels import labels
from tl_jax.data.files.pictures import Pictures as Pictures
from tl_jax.data.files.pictures import equal as equal

INDEX = "index "
"""Begins the names of columns that a sparse file numbers, where nobody says from where it counts."""


class Examples(NamedTuple):
    """x [n, ...] as its modality says, and y [n]: int32 classes, or float32 values where there are no classes.

    y: -1 (of values NaN) where the label is unknown; None where all are.
    """

    x: np.ndarray
    y: np.ndarray = None  # pyright: ignore[reportAssignmentType]  # a Domain puts unknown labels in its place


def labelled(part: Examples) -> Examples:
    """The examples whose label is known; the same arrays where all are."""
    rows = known(part.y)
    return part if rows.all() else Examples(part.x[rows], part.y[rows])


@dataclass(frozen=True)
class Domain:
    """A named data set with its class names and its train, validation and test splits.

    modality    x
    image       uint8 [n, h, w, c], c = 1 or 3
    vector      float32 [n, d]
    text        int32 token ids [n, length] below `vocabulary`, 0 is padding
    sound       int16 waves [n, samples] at `rate` Hz, zeros after the end
    series      float32 [n, t, c]

    modality: as the examples' type and rank say unless it is given. classes: () for regression, and of a domain
    none of whose labels is known (y int32, all -1): such a target takes the source's. ids: {split: what its examples
    are called [n]} (file names, row numbers), for predictions; texts: {split: what its ids were read from [n]}, for
    networks with word pieces of their own; features: the names of the columns of vectors.
    notes: what was left out, changed or guessed in reading it, each with its count; a run prints them.

    What is handed over is checked and brought to this form (see door.py): a split may be (x, y) or x alone, x and y
    lists, frames or tensors, labels names, floats, one column, or one column a class; classes None are those found.
    Raises UserError for everything else. `changed` makes a domain of a checked one and looks at nothing.
    """

    name: str
    classes: tuple[str, ...]
    train: Examples
    validation: Examples
    test: Examples
    modality: str = field(default="", kw_only=True)
    rate: int = field(default=0, kw_only=True)
    vocabulary: int = field(default=0, kw_only=True)
    ids: Mapping[str, np.ndarray] = field(default_factory=dict, kw_only=True)
    texts: Mapping[str, np.ndarray] = field(default_factory=dict, kw_only=True)
    features: tuple[str, ...] = field(default=(), kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name:
            raise UserError(f"A domain is called by a text, not {self.name!r:.40}.")
        for what in ("rate", "vocabulary"):
            if not isinstance(number := getattr(self, what), int | np.integer) or number < 0:
                raise UserError(f"{self.name}: {what}={number!r:.40}; a whole number of at least 0 is needed.")
        parts = {split: _part(self.name, split, given) for split, given in self.splits.items()}
        given = {split: part[0] for split, part in parts.items()}
        for split, part in parts.items():
            check_rows(f"{self.name}, {split} split", *part)
        modality, x, columns, noted = inputs(self.name, given, self.modality, self.vocabulary, self.features)
        sizes = {split: len(a) for split, a in x.items()}
        if not all(sizes.values()):
            empty = min(sizes, key=lambda split: sizes[split])
            shown = ", ".join(f"{n} {split}" for split, n in sizes.items())
            raise UserError(
                f"{self.name}: the {empty} split is empty ({shown}). Give it examples, or let the splits be drawn: "
                "by default a tenth of each class is for validation and a fifth for test."
            )
        classes, y, said = labels(self.name, {split: part[1] for split, part in parts.items()}, sizes, self.classes)
        for what, told in (("names of examples", self.ids), ("texts", self.texts)):
            for split, some in told.items():
                if split not in sizes or np.ndim(some) == 0 or len(some) != sizes[split]:
                    n = len(some) if np.ndim(some) else "no list of"
                    raise UserError(f"{self.name}: {n} {what} in {split}, which has {sizes.get(split)}.")
        done = {split: Examples(x[split], y[split]) for split in parts}
        notes = tuple(dict.fromkeys(([self.notes] if isinstance(self.notes, str) else [*self.notes]) + noted + said))
        found = {"modality": modality, "features": columns, "classes": classes, "notes": notes, **done}
        for key, value in found.items():
            object.__setattr__(self, key, value)

    @property
    def labelled(self) -> bool:
        """Whether any label of any split is known."""
        return any(known(part.y).any() for part in self.splits.values())

    @property
    def values(self) -> bool:
        """Whether its labels are values (a regression), and not merely unknown."""
        return not self.classes and (np.issubdtype(self.train.y.dtype, np.floating) or self.labelled)

    @property
    def unknown(self) -> int:
        """How many examples of all splits have no known label."""
        return sum(int((~known(part.y)).sum()) for part in self.splits.values())

    @property
    def splits(self) -> dict[str, Examples]:
        """{"train", "validation", "test"} -> examples."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def changed(domain: Domain, **fields: Any) -> Domain:
    """The domain with other fields, unchecked: y may be len(classes), a class that the source lacks, or [n, tasks]."""
    new = object.__new__(Domain)
    for one in dataclasses.fields(Domain):
        object.__setattr__(new, one.name, fields.get(one.name, getattr(domain, one.name)))
    return new


def _part(name: str, split: str, given: Any) -> tuple[Any, Any]:
    """x and y of a split: (x, y), {"x": ..., "y": ...}, or x alone."""
    if isinstance(given, Mapping) and "x" in given and set(given) <= {"x", "y"}:
        return given["x"], given.get("y")
    if isinstance(given, tuple):
        if len(given) == 2:
            return given[0], given[1]
        raise UserError(f"{name}: the {split} split is a tuple of {len(given)}; Examples(x, y) is needed.")
    return given, None
