"""DenseNet-121 (Huang et al. 2017, arXiv:1608.06993)."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from tl_jax.core.types import Array
from tl_jax.models.parts.conv import Conv
from tl_jax.models.parts.layers import BatchNorm, max_pool
from tl_jax.models.parts.recipe import IMAGENET, Frozen, Recipe

GROWTH = 32
"""Channels that every layer adds."""


class Layer(nn.Module):
    """x and, beside it, conv 3x3(relu(norm(conv 1x1(relu(norm(x)))))): 1x1 to four times the channels that it adds."""

    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, h, w, c] -> [n, h, w, c + GROWTH]."""
        y = x
        for i, (width, kernel) in enumerate(((4 * GROWTH, 1), (GROWTH, 3)), 1):
            y = nn.relu(BatchNorm(dtype=self.dtype, name=f"norm{i}")(y, train, frozen))
            y = convolved(y, (width, kernel, 1), (self.dtype, self.form), f"conv{i}")
        return jnp.concatenate([x, y], axis=-1)


def convolved(x: Array, shape: tuple[int, int, int], how: tuple[Any, str], name: str) -> Array:
    """x [n, h, w, c] through a convolution without bias; shape: width, kernel, stride; how: dtype and form."""
    (width, kernel, stride), (dtype, form), init = shape, how, nn.initializers.he_normal()
    common = {"use_bias": False, "dtype": dtype, "form": form, "kernel_init": init}
    return Conv(width, kernel, stride, kernel // 2, name=name, **common)(x)


class Stage(nn.Module):
    """Half the channels at half the size (norm, relu, conv 1x1, means of 2x2; not in the first stage), then layers."""

    depth: int
    halve: bool
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, h, w, c] -> [n, h or h / 2, w or w / 2, c or c / 2 + depth * GROWTH]."""
        if self.halve:
            x = nn.relu(BatchNorm(dtype=self.dtype, name="norm")(x, train, frozen))
            x = convolved(x, (x.shape[-1] // 2, 1, 1), (self.dtype, self.form), "conv")
            n, h, w, c = x.shape
            x = x[:, : h // 2 * 2, : w // 2 * 2].reshape(n, h // 2, 2, w // 2, 2, c).mean((2, 4))
        for i in range(1, self.depth + 1):
            x = Layer(self.dtype, self.form, name=f"block{i}")(x, train, frozen)
        return x


class DenseNet(nn.Module):
    """7x7 convolution and pooling (a quarter of the size), four stages, norm, relu, the mean over positions."""

    depths: tuple[int, ...]
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, h, w, c], h and w from 29 px -> [n, 1024]."""
        x = convolved(x, (64, 7, 2), (self.dtype, self.form), "conv1")
        x = max_pool(nn.relu(BatchNorm(dtype=self.dtype, name="norm1")(x, train, frozen)), 3, 2, 1)
        for i, depth in enumerate(self.depths, 1):
            x = Stage(depth, i > 1, self.dtype, self.form, name=f"stage{i}")(x, train, frozen)
        return nn.relu(BatchNorm(dtype=self.dtype, name="norm2")(x, train, frozen)).mean((1, 2))


def densenet121(*, bottleneck: int = 256, head: str = "linear") -> Recipe:
    """DenseNet-121, 1024 features: x [n, h, w, 1 or 3], from 29 px (classically 224 px)."""
    return Recipe(lambda dtype, form: DenseNet((6, 12, 24, 16), dtype, form), bottleneck, head, IMAGENET)
