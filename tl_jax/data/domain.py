"""A domain: named classes and fixed splits of examples held in memory."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Examples(NamedTuple):
    """Images or vectors x [n, ...] (images as uint8 NHWC) and labels y [n] int32."""

    x: np.ndarray
    y: np.ndarray


@dataclass(frozen=True)
class Domain:
    """A named data set with its class names and its train, validation and test splits."""

    name: str
    classes: tuple[str, ...]
    train: Examples
    validation: Examples
    test: Examples
