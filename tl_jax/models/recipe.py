"""What every file of backbones hands to `networks.build`."""

from collections.abc import Callable
from typing import Any, NamedTuple

from flax import linen as nn

Frozen = frozenset[str]
"""Paths of modules whose statistics stay as they are, such as "backbone/norm1"."""


class Pixels(NamedTuple):
    """Mean and standard deviation of every channel on the scale [0, 1], as published with pretrained weights."""

    mean: tuple[float, ...]
    std: tuple[float, ...]


IMAGENET = Pixels((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = Pixels((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""Leaves images in [-1, 1] as they are."""


class Recipe(NamedTuple):
    """A network before classes, precision and form of convolution are known."""

    backbone: Callable[[Any, str], nn.Module]
    """(dtype, form) -> module called as module(x [n, ...], train, frozen) -> [n, d]."""
    bottleneck: int
    head: str = "linear"
    pixels: Pixels | None = None
    """The scale that the backbone's pretrained weights expect; None takes inputs as they come."""
