"""What every file of backbones hands to `networks.build`."""

from collections.abc import Callable
from typing import Any, NamedTuple

from flax import linen as nn

Frozen = frozenset[str]
"""Paths of modules whose statistics stay as they are, such as "backbone/norm1"."""


class Recipe(NamedTuple):
    """A network before classes, precision and form of convolution are known."""

    backbone: Callable[[Any, str], nn.Module]
    """(dtype, form) -> module called as module(x [n, ...], train, frozen) -> [n, d]."""
    bottleneck: int
