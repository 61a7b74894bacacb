"""What every file of backbones hands to `networks.build`."""

import inspect
from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import linen as nn

from tl_jax.core.errors import UserError
from tl_jax.core.types import Array

Frozen = frozenset[str]
"""Paths of modules whose statistics stay as they are, such as "backbone/norm1"."""


class Pixels(NamedTuple):
    """Mean and standard deviation of every channel on the scale [0, 1], as published with pretrained weights.

    size: the side in px that images are brought to, 0: as they come; crop: what is longer is cut (see pixels.py).
    """

    mean: tuple[float, ...]
    std: tuple[float, ...]
    size: int = 0
    crop: bool = False


IMAGENET = Pixels((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
HALF = Pixels((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
"""Leaves images in [-1, 1] as they are."""


class Pretrained(NamedTuple):
    """The folder (or name on the hub) of a published network: its weights and, if it has any, the word pieces it reads.

    length: of a text in pieces at most; pad: the id of padding in its vocabulary. Here 0 is padding: the two ids are
    exchanged on the way into a domain, and back in the network. vocabulary: 0 of a network that reads no texts.
    files: what besides the weights says what it computes; bare: whether texts lose case and punctuation first.
    """

    place: str
    length: int = 0
    pad: int = 0
    vocabulary: int = 0
    files: tuple[str, ...] = ("tokenizer.json", "config.json")
    bare: bool = False


class Recipe(NamedTuple):
    """A network before classes, precision and form of convolution are known."""

    backbone: Callable[[Any, str], nn.Module]
    """(dtype, form) -> module called as module(x [n, ...], train, frozen) -> [n, d]."""
    bottleneck: int
    head: str = "linear"
    pixels: Pixels | None = None
    """The scale that the backbone's pretrained weights expect; None takes inputs as they come."""
    pretrained: Pretrained | None = None
    """What a run begins from and reads texts by, unless it is told otherwise."""
    prompts: tuple[str, ...] = ()
    """Texts with {} for the name of a class, whose features the head begins as (see zero_shot.py)."""
    trims: bool = False
    """Whether zeros at the end of an example [t] change no output and cost time: evaluation then leaves them away."""
    freeze: tuple[tuple[str, str], ...] = ()
    """Rules of what stays as published in a run that begins from weights; the user's go first."""


def as_recipe(made: Recipe | nn.Module) -> Recipe:
    """A Flax module as the trunk of a network without bottleneck; a recipe as it is."""
    if isinstance(made, Recipe):
        return made

    def backbone(dtype: Any, form: str) -> nn.Module:
        if jnp.dtype(dtype) == jnp.float32:
            return made.clone()
        if not hasattr(made, "dtype"):
            raise UserError(
                f"--precision={jnp.dtype(dtype)}: {type(made).__name__} has no field `dtype` to compute in. "
                "Give it one, or use --precision=float32."
            )
        return made.clone(dtype=dtype)

    return Recipe(backbone, 0)


def features(module: nn.Module, x: Array, train: bool, frozen: Frozen) -> Array:
    """A trunk's features; of `train` and `frozen` it is handed those that its call takes.

    Raises UserError where they are not [n, d].
    """
    takes = inspect.signature(type(module).__call__).parameters
    found = module(x, **{name: value for name, value in (("train", train), ("frozen", frozen)) if name in takes})
    if getattr(found, "ndim", 0) != 2 or found.shape[0] != x.shape[0]:
        shape = list(getattr(found, "shape", ())) or type(found).__name__
        raise UserError(
            f"{type(module).__name__} gives {shape} of examples {list(x.shape)}; a network's trunk gives features "
            "[n, d], one row an example: average or flatten the rest."
        )
    return found
