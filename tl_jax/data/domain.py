"""A domain: named classes and fixed splits of examples, in memory or memory-mapped."""

from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

MODALITIES = ("image", "vector", "text", "sound", "series")


class Examples(NamedTuple):
    """x [n, ...] as its modality says, and y [n]: int32 classes, or float32 values where there are no classes."""

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Domain:
    """A named data set with its class names and its train, validation and test splits.

    modality    x
    image       uint8 [n, h, w, c], c = 1 or 3
    vector      float32 [n, d]
    text        int32 token ids [n, length] below `vocabulary`, 0 is padding
    sound       int16 waves [n, samples] at `rate` Hz, zeros after the end
    series      float32 [n, t, c]

    modality: as the examples' type and rank say unless it is given. classes: () for regression.
    """

    name: str
    classes: tuple[str, ...]
    train: Examples
    validation: Examples
    test: Examples
    modality: str = field(default="", kw_only=True)
    rate: int = field(default=0, kw_only=True)
    vocabulary: int = field(default=0, kw_only=True)

    def __post_init__(self) -> None:
        if not self.modality:
            object.__setattr__(self, "modality", _modality(self.train.x))

    @property
    def splits(self) -> dict[str, Examples]:
        """{"train", "validation", "test"} -> examples."""
        return {"train": self.train, "validation": self.validation, "test": self.test}


def _modality(x: np.ndarray) -> str:
    if x.ndim == 2:
        return {"int16": "sound", "int32": "text"}.get(x.dtype.name, "vector")
    return "series" if x.ndim == 3 else "image"
