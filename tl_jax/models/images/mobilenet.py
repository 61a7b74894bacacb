"""MobileNetV2 (Sandler et al. 2018, arXiv:1801.04381)."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from tl_jax.core.types import Array
from tl_jax.models.parts.conv import Conv
from tl_jax.models.parts.layers import BatchNorm, Dropout
from tl_jax.models.parts.recipe import HALF, IMAGENET, Frozen, Recipe

STAGES = ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1), (6, 160, 3, 2), (6, 320, 1, 1))
"""(expansion, width, blocks, stride of the first)."""


class Inverted(nn.Module):
    """1x1 to `expansion` times the channels, 3x3 depthwise, 1x1 to `width` without an activation; added to
    the input where shapes agree."""

    width: int
    expansion: int
    stride: int
    padding: str | int
    epsilon: float
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, h, w, c] -> [n, h / stride, w / stride, width]."""
        common = {"use_bias": False, "dtype": self.dtype, "form": self.form}

        def norm(x: Array, name: str) -> Array:
            return BatchNorm(epsilon=self.epsilon, dtype=self.dtype, name=name)(x, train, frozen)

        y, inner = x, x.shape[-1] * self.expansion
        if self.expansion > 1:
            y = nn.relu6(norm(Conv(inner, 1, name="expand", **common)(y), "norm1"))
        y = Conv(inner, 3, self.stride, self.padding, depthwise=True, name="depthwise", **common)(y)
        y = nn.relu6(norm(y, "norm2"))
        y = norm(Conv(self.width, 1, name="project", **common)(y), "norm3")
        return x + y if x.shape == y.shape else y


class MobileNetV2(nn.Module):
    """3x3 convolution of stride 2, 17 inverted blocks, 1x1 to 1280, the mean over positions, dropout."""

    padding: str | int
    epsilon: float
    dropout: float
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, h, w, c] -> [n, 1280]."""
        common = {"use_bias": False, "dtype": self.dtype, "form": self.form}

        def norm(x: Array, name: str) -> Array:
            return BatchNorm(epsilon=self.epsilon, dtype=self.dtype, name=name)(x, train, frozen)

        x = nn.relu6(norm(Conv(32, 3, strides=2, padding=self.padding, name="conv1", **common)(x), "norm1"))
        shapes = [(t, c, s if i == 0 else 1) for t, c, n, s in STAGES for i in range(n)]
        for i, (expansion, width, stride) in enumerate(shapes, 1):
            block = Inverted(
                width,
                expansion,
                stride,
                self.padding,
                self.epsilon,
                self.dtype,
                self.form,
                name=f"block{i}",
            )
            x = block(x, train, frozen)
        x = nn.relu6(norm(Conv(1280, 1, name="conv2", **common)(x), "norm2"))
        return Dropout(self.dropout, name="dropout1")(x.mean((1, 2)).astype(jnp.float32), train)


def mobilenet_v2(
    *, tf: bool = False, epsilon: float = 1e-5, dropout: float = 0.2, bottleneck: int = 256, head: str = "linear"
) -> Recipe:
    """MobileNetV2 of width 1, 1280 features: x [n, h, w, 1 or 3], any size (classically 224 px).

    `tf` is for weights trained in TensorFlow: "SAME" padding (a stride of 2 pads on the right and below
    only) and images in [-1, 1] instead of ImageNet's mean and deviation. TensorFlow's batch normalisation has
    epsilon 1e-3, unless it is folded into the bias.
    """
    padding, pixels = ("SAME", HALF) if tf else (1, IMAGENET)
    module = lambda dtype, form: MobileNetV2(padding, epsilon, dropout, dtype, form)
    return Recipe(module, bottleneck, head, pixels)
