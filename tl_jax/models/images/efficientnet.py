"""EfficientNet-B0 (Tan & Le 2019, arXiv:1905.11946)."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from tl_jax.core.types import Array
from tl_jax.models.parts.conv import Conv
from tl_jax.models.parts.layers import BatchNorm, Dropout
from tl_jax.models.parts.recipe import IMAGENET, Frozen, Recipe

STAGES = (
    (1, 16, 1, 1, 3),
    (6, 24, 2, 2, 3),
    (6, 40, 2, 2, 5),
    (6, 80, 3, 2, 3),
    (6, 112, 3, 1, 5),
    (6, 192, 4, 2, 5),
    (6, 320, 1, 1, 3),
)
"""(expansion, width, blocks, stride of the first, kernel)."""


class Inverted(nn.Module):
    """1x1 to `expansion` times the channels, depthwise, channels weighted by their means, 1x1 to `width` without an
    activation; added to the input where shapes agree."""

    width: int
    expansion: int
    stride: int
    kernel: int
    same: bool
    epsilon: float
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, h, w, c] -> [n, h / stride, w / stride, width]."""
        common = {"use_bias": False, "dtype": self.dtype, "form": self.form}
        padding = "SAME" if self.same else self.kernel // 2

        def norm(x: Array, name: str) -> Array:
            return BatchNorm(epsilon=self.epsilon, dtype=self.dtype, name=name)(x, train, frozen)

        y, inner = x, x.shape[-1] * self.expansion
        if self.expansion > 1:
            y = nn.silu(norm(Conv(inner, 1, name="expand", **common)(y), "norm1"))
        y = Conv(inner, self.kernel, self.stride, padding, depthwise=True, name="depthwise", **common)(y)
        y = nn.silu(norm(y, "norm2"))
        share = nn.silu(nn.Dense(max(1, x.shape[-1] // 4), dtype=self.dtype, name="squeeze")(y.mean((1, 2))))
        share = nn.sigmoid(nn.Dense(inner, dtype=self.dtype, name="excite")(share))
        y = norm(Conv(self.width, 1, name="project", **common)(y * share[:, None, None]), "norm3")
        return x + y if x.shape == y.shape else y


class EfficientNet(nn.Module):
    """3x3 convolution of stride 2, 16 inverted blocks, 1x1 to 1280, the mean over positions, dropout."""

    same: bool
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

        x = nn.silu(norm(Conv(32, 3, 2, "SAME" if self.same else 1, name="conv1", **common)(x), "norm1"))
        shapes = [(c, t, s if i == 0 else 1, k) for t, c, n, s, k in STAGES for i in range(n)]
        for i, shape in enumerate(shapes, 1):
            x = Inverted(*shape, self.same, self.epsilon, self.dtype, self.form, name=f"block{i}")(x, train, frozen)
        x = nn.silu(norm(Conv(1280, 1, name="conv2", **common)(x), "norm2"))
        return Dropout(self.dropout, name="dropout1")(x.mean((1, 2)).astype(jnp.float32), train)


def efficientnet_b0(*, tf: bool = False, dropout: float = 0.2, bottleneck: int = 256, head: str = "linear") -> Recipe:
    """EfficientNet-B0, 1280 features: x [n, h, w, 1 or 3], any size (classically 224 px).

    `tf` is for weights trained in TensorFlow (Hugging Face's, timm's tf_efficientnet_b0): "SAME" padding (a stride of
    2 pads on the right and below only) and an epsilon of 1e-3 in batch normalisation; others have 1e-5.
    """
    module = lambda dtype, form: EfficientNet(tf, 1e-3 if tf else 1e-5, dropout, dtype, form)
    return Recipe(module, bottleneck, head, IMAGENET)
