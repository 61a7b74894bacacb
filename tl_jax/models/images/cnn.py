"""A small convolutional network with batch normalisation, for images of 8 to 64 px."""

from typing import Any

from flax import linen as nn

from tl_jax.core.types import Array
from tl_jax.models.parts.conv import Conv
from tl_jax.models.parts.layers import BatchNorm, Dropout, max_pool
from tl_jax.models.parts.recipe import Frozen, Recipe


class Cnn(nn.Module):
    """For every width: 3x3 convolution, batch normalisation, relu, maximum over 2x2 (see `cnn`)."""

    widths: tuple[int, ...]
    dense: int
    dropout: float
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, h, w, c] -> [n, dense], or [n, (h / 2^k) (w / 2^k) widths[-1]] with k = len(widths) if dense is 0."""
        for i, width in enumerate(self.widths, 1):
            x = Conv(width, 3, use_bias=False, dtype=self.dtype, form=self.form, name=f"conv{i}")(x)
            x = BatchNorm(dtype=self.dtype, name=f"norm{i}")(x, train, frozen)
            x = max_pool(nn.relu(x))
        x = x.reshape(x.shape[0], -1)
        if self.dense:
            x = nn.relu(nn.Dense(self.dense, dtype=self.dtype, name="dense1")(x))
        return Dropout(self.dropout, name="dropout1")(x, train)


def cnn(
    *,
    widths: tuple[int, ...] = (16, 48),
    dense: int = 192,
    dropout: float = 0.5,
    bottleneck: int = 128,
    head: str = "linear",
) -> Recipe:
    """3x3 convolutions of the given widths, each normalised, rectified and pooled by two; dense, relu, dropout.

    x [n, h, w, c] with h and w from 2^len(widths) px; dense 0 leaves the dense layer out.
    """
    return Recipe(lambda dtype, form: Cnn(tuple(widths), dense, dropout, dtype, form), bottleneck, head)
