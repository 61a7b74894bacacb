"""VGG-16 (Simonyan & Zisserman 2015, arXiv:1409.1556), without batch normalisation."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from tl_jax.core.errors import unknown
from tl_jax.core.types import Array
from tl_jax.models.parts.conv import Conv
from tl_jax.models.parts.layers import Dropout, max_pool
from tl_jax.models.parts.recipe import IMAGENET, Frozen, Recipe

STAGES = ((64, 2), (128, 2), (256, 3), (512, 3), (512, 3))
"""(width, convolutions) between two poolings."""
TOPS = ("dense", "pool", "classic")


def pool_to(x: Array, size: int) -> Array:
    """Means over a size x size grid of x [n, h, w, c], as torch's adaptive_avg_pool2d: cells may overlap."""

    def weights(length: int) -> Array:
        position = jnp.arange(length).reshape(1, -1)
        cell = jnp.arange(size).reshape(-1, 1)
        inside = (position >= cell * length // size) & (position < -(-(cell + 1) * length // size))
        return (inside / inside.sum(1, keepdims=True)).astype(x.dtype)

    if x.shape[1:3] == (size, size):
        return x
    return jnp.einsum("nhwc,ih,jw->nijc", x, weights(x.shape[1]), weights(x.shape[2]))


class Vgg16(nn.Module):
    """Thirteen 3x3 convolutions in five stages, each pooled by two, then `top` (see `vgg16`)."""

    top: str
    dropout: float
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, h, w, c], h and w from 32 px -> [n, d]."""
        widths = [width for width, count in STAGES for _ in range(count)]
        ends = {2, 4, 7, 10, 13}
        init = nn.initializers.he_normal()
        for i, width in enumerate(widths, 1):
            x = Conv(width, 3, dtype=self.dtype, form=self.form, kernel_init=init, name=f"conv{i}")(x)
            x = max_pool(nn.relu(x)) if i in ends else nn.relu(x)
        if self.top == "pool":
            return x.mean((1, 2))
        if self.top == "classic":
            return x.reshape(x.shape[0], -1)
        x = pool_to(x, 7).reshape(x.shape[0], -1)
        for i in (1, 2):
            x = nn.relu(nn.Dense(4096, dtype=self.dtype, kernel_init=init, name=f"dense{i}")(x))
            x = Dropout(self.dropout, name=f"dropout{i}")(x, train)
        return x


def vgg16(*, top: str = "dense", dropout: float = 0.5, bottleneck: int = 256, head: str = "linear") -> Recipe:
    """VGG-16: x [n, h, w, 1 or 3], from 32 px (classically 224 px).

    top="dense": the two dense layers of 4096 of the published network, 4096 features; the last map is
    averaged to 7x7 first, as torchvision does for other sizes. top="pool": the mean over positions, 512
    features. top="classic": the last map flattened, without a bottleneck, and the `mlp` head (dense 1024,
    relu, dropout .5), which needs the image size of its training.
    """
    if top not in TOPS:
        raise unknown("top of vgg16", top, TOPS)
    if top == "classic":
        bottleneck, head = 0, "mlp"
    return Recipe(lambda dtype, form: Vgg16(top, dropout, dtype, form), bottleneck, head, IMAGENET)
