"""Swin transformers (Liu et al. 2021, arXiv:2103.14030): attention inside windows, which are shifted in every second
block."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from tl_jax.core.types import Array
from tl_jax.models.parts.conv import Conv
from tl_jax.models.parts.recipe import IMAGENET, Frozen, Recipe
from tl_jax.models.parts.transformer import INIT, dense, gelu, layer_norm

EPSILON = 1e-5
APART = -100.0
"""Added to the attention between places that only the shift has brought into one window."""


def shifts(padded: tuple[int, int], window: int, shifted: bool) -> tuple[int, int]:
    """By how much a padded map is shifted along each axis: not where one window holds all of it."""
    down, right = (window // 2 if shifted and size > window else 0 for size in padded)
    return down, right


def apart(padded: tuple[int, int], window: int, shift: tuple[int, int]) -> np.ndarray:
    """[windows, window^2, window^2]: 0 where two places of a window of the shifted map were neighbours, else APART."""
    axes = []
    for size, by in zip(padded, shift, strict=True):
        i = np.arange(size)
        axes.append((i >= size - window).astype(int) + (i >= size - by) if by else 0 * i)
    regions = parted((axes[0][:, None] * 3 + axes[1][None])[None, :, :, None], window)[0, :, :, 0]
    return np.where(regions[:, :, None] == regions[:, None], 0.0, APART)


def parted(x: Any, window: int) -> Any:
    """[n, h, w, c] -> [n, windows, window^2, c]."""
    n, h, w, c = x.shape
    down, right = h // window, w // window
    x = x.reshape(n, down, window, right, window, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(n, down * right, window * window, c)


def joined(x: Array, padded: tuple[int, int], window: int) -> Array:
    """What `parted` took apart."""
    (h, w), n, c = padded, x.shape[0], x.shape[-1]
    x = x.reshape(n, h // window, w // window, window, window, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(n, h, w, c)


def offsets(window: int) -> np.ndarray:
    """[window^2, window^2]: the row of the table of biases for each pair of places, by their distances."""
    place = np.stack(np.meshgrid(np.arange(window), np.arange(window), indexing="ij")).reshape(2, -1)
    down, right = place[:, :, None] - place[:, None] + window - 1
    return down * (2 * window - 1) + right


class WindowAttention(nn.Module):
    """Softmax(q k^T / sqrt(d / heads) + bias of the distance) v inside windows, for every head.

    The map is padded on the right and below to whole windows; shifted: by half a window, and back.
    """

    heads: int
    window: int
    shifted: bool
    dtype: Any

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x [n, h, w, d] -> [n, h, w, d]."""
        (h, w, d), size = x.shape[1:], self.window
        padded = (h + -h % size, w + -w % size)
        down, right = shifts(padded, size, self.shifted)
        x = jnp.pad(x, ((0, 0), (0, padded[0] - h), (0, padded[1] - w), (0, 0)))
        x = parted(jnp.roll(x, (-down, -right), (1, 2)), size)
        qkv = dense(3 * d, self.dtype, "qkv")(x)
        q, k, v = jnp.moveaxis(qkv.reshape(*x.shape[:3], 3, self.heads, d // self.heads), 3, 0)
        table = self.param("position_bias", INIT, ((2 * size - 1) ** 2, self.heads), jnp.float32)
        bias = jnp.moveaxis(table[offsets(size)], -1, 0)[None]
        if down or right:
            bias = bias + jnp.asarray(apart(padded, size, (down, right)), jnp.float32)[:, None]
        scores = jnp.einsum("nwqhe,nwkhe->nwhqk", q, k).astype(jnp.float32) * (d // self.heads) ** -0.5
        share = jax.nn.softmax(scores + bias[None]).astype(self.dtype)
        y = jnp.einsum("nwhqk,nwkhe->nwqhe", share, v).reshape(*x.shape[:3], d)
        y = dense(d, self.dtype, "out")(y)
        return jnp.roll(joined(y, padded, size), (down, right), (1, 2))[:, :h, :w]


class Block(nn.Module):
    """x + attention(norm(x)), then x + dense(gelu(dense(norm(x)))) with four times the width."""

    heads: int
    window: int
    shifted: bool
    dtype: Any

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x [n, h, w, d] -> [n, h, w, d]."""
        d = x.shape[-1]
        attention = WindowAttention(self.heads, self.window, self.shifted, self.dtype, name="attention")
        x = x + attention(layer_norm(self.dtype, "norm1", EPSILON)(x))
        y = layer_norm(self.dtype, "norm2", EPSILON)(x)
        y = gelu(dense(4 * d, self.dtype, "dense1")(y))
        return x + dense(d, self.dtype, "dense2")(y)


class Stage(nn.Module):
    """Four neighbours become one place of twice the width (not in the first stage), then the blocks."""

    depth: int
    heads: int
    window: int
    halve: bool
    dtype: Any

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x [n, h, w, d] -> [n, h, w, d] or [n, h / 2, w / 2, 2 d], rounded up."""
        if self.halve:
            x = jnp.pad(x, ((0, 0), (0, x.shape[1] % 2), (0, x.shape[2] % 2), (0, 0)))
            x = jnp.concatenate([x[:, i::2, j::2] for j in range(2) for i in range(2)], axis=-1)
            x = layer_norm(self.dtype, "norm", EPSILON)(x)
            width = x.shape[-1] // 2
            x = dense(width, self.dtype, "reduction", bias=False)(x)
        for i in range(1, self.depth + 1):
            x = Block(self.heads, self.window, i % 2 == 0, self.dtype, name=f"block{i}")(x)
        return x


class Swin(nn.Module):
    """A 4x4 convolution of stride 4 and norm, four stages, norm, the mean over positions."""

    depths: tuple[int, ...]
    heads: tuple[int, ...]
    width: int
    window: int
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, h, w, c], filled up with zeros to multiples of 4 px -> [n, width * 2^(stages - 1)]."""
        x = jnp.pad(x, ((0, 0), (0, -x.shape[1] % 4), (0, -x.shape[2] % 4), (0, 0)))
        x = Conv(self.width, 4, 4, "VALID", dtype=self.dtype, form=self.form, kernel_init=INIT, name="conv1")(x)
        x = layer_norm(self.dtype, "norm1", EPSILON)(x)
        for i, (depth, heads) in enumerate(zip(self.depths, self.heads, strict=True), 1):
            x = Stage(depth, heads, self.window, i > 1, self.dtype, name=f"stage{i}")(x)
        return layer_norm(self.dtype, "norm2", EPSILON)(x).mean((1, 2))


def swin_tiny(*, bottleneck: int = 256, head: str = "linear") -> Recipe:
    """Swin-T with windows of 7, 768 features: x [n, h, w, 1 or 3], any size (classically 224 px)."""
    module = lambda dtype, form: Swin((2, 2, 6, 2), (3, 6, 12, 24), 96, 7, dtype, form)
    return Recipe(module, bottleneck, head, IMAGENET)
