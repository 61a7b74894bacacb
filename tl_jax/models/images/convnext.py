"""ConvNeXt (Liu et al. 2022, arXiv:2201.03545)."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from tl_jax.core.types import Array
from tl_jax.models.parts.conv import Conv
from tl_jax.models.parts.recipe import IMAGENET, Frozen, Recipe
from tl_jax.models.parts.transformer import INIT, dense, gelu, layer_norm


class Block(nn.Module):
    """x + scale * dense(gelu(dense(norm(depthwise 7x7(x))))), four times as wide inside; scale starts at 1e-6."""

    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x [n, h, w, c] -> [n, h, w, c]."""
        c = x.shape[-1]
        y = Conv(c, 7, padding=3, depthwise=True, dtype=self.dtype, form=self.form, kernel_init=INIT, name="depthwise")(
            x
        )
        y = layer_norm(self.dtype, "norm")(y)
        y = gelu(dense(4 * c, self.dtype, "dense1")(y))
        y = dense(c, self.dtype, "dense2")(y)
        scale = self.param("layer_scale", nn.initializers.constant(1e-6), (c,), jnp.float32)
        return x + scale.astype(self.dtype).reshape(1, 1, 1, -1) * y


class Stage(nn.Module):
    """Halve the size (norm and a 2x2 convolution; not in the first stage), then the blocks."""

    depth: int
    width: int
    halve: bool
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x [n, h, w, c] -> [n, h or h / 2, w or w / 2, width]."""
        if self.halve:
            x = layer_norm(self.dtype, "norm")(x)
            x = Conv(self.width, 2, 2, "VALID", dtype=self.dtype, form=self.form, kernel_init=INIT, name="conv")(x)
        for i in range(1, self.depth + 1):
            x = Block(self.dtype, self.form, name=f"block{i}")(x)
        return x


class ConvNeXt(nn.Module):
    """A 4x4 convolution of stride 4 and norm, four stages, the mean over positions, norm."""

    depths: tuple[int, ...]
    widths: tuple[int, ...]
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, h, w, c], h and w from 32 px -> [n, widths[-1]]."""
        width = self.widths[0]
        x = Conv(width, 4, 4, "VALID", dtype=self.dtype, form=self.form, kernel_init=INIT, name="conv1")(x)
        x = layer_norm(self.dtype, "norm1")(x)
        for i, (depth, width) in enumerate(zip(self.depths, self.widths, strict=True), 1):
            x = Stage(depth, width, i > 1, self.dtype, self.form, name=f"stage{i}")(x)
        return layer_norm(self.dtype, "norm2")(x.mean((1, 2)))


def convnext_tiny(*, bottleneck: int = 256, head: str = "linear") -> Recipe:
    """ConvNeXt-T, 768 features: x [n, h, w, 1 or 3], from 32 px (classically 224 px)."""
    module = lambda dtype, form: ConvNeXt((3, 3, 9, 3), (96, 192, 384, 768), dtype, form)
    return Recipe(module, bottleneck, head, IMAGENET)
