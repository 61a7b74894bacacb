"""A domain: named classes and fixed splits of examples, in memory or memory-mapped."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

MODALITIES = ("image", "vector", "text", "sound", "series")


UNKNOWN = -1
"""The class number of an example whose class nobody knows; an unknown value is NaN."""


class Examples(NamedTuple):
    """x [n, ...] as its modality says, and y [n]: int32 classes, or float32 values where there are no classes.

    y: -1 (of values NaN) where the label is unknown; None where all are.
    """

    x: np.ndarray
    y: np.ndarray = None  # pyright: ignore[reportAssignmentType]  # a Domain puts unknown labels in its place


def known(y: np.ndarray) -> np.ndarray:
    """Which labels y [n] are known: bool [n]."""
    return np.isfinite(y) if y.dtype.kind == "f" else y >= 0


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
    are called [n]} (file names, row numbers), for predictions; features: the names of the columns of vectors.
    notes: what was left out, changed or guessed in reading it, each with its count; a run prints them.
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
    features: tuple[str, ...] = field(default=(), kw_only=True)
    notes: tuple[str, ...] = field(default=(), kw_only=True)

    def __post_init__(self) -> None:
        if not self.modality:
            object.__setattr__(self, "modality", _modality(self.train.x))
        for name, part in self.splits.items():
            if part.y is None:
                object.__setattr__(self, name, part._replace(y=np.full(len(part.x), UNKNOWN, np.int32)))

    @property
    def labelled(self) -> bool:
        """Whether any label of any split is known."""
        return any(known(part.y).any() for part in self.splits.values())

    @property
    def splits(self) -> dict[str, Examples]:
        """{"train", "validation", "test"} -> examples."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def _modality(x: np.ndarray) -> str:
    if x.ndim == 2:
        return {"int16": "sound", "int32": "text"}.get(x.dtype.name, "vector")
    return "series" if x.ndim == 3 else "image"
