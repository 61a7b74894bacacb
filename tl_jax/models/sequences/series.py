"""Networks for sequences of numbers or of token ids: a gated recurrent one and a convolutional one."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from tl_jax.core.types import Array
from tl_jax.models.parts.conv import Conv
from tl_jax.models.parts.layers import BatchNorm, Dropout
from tl_jax.models.parts.masks import masked_mean, valid
from tl_jax.models.parts.recipe import Frozen, Recipe


class Gru(nn.Module):
    """A layer of gated recurrent units that skips masked steps.

    r, z = sigmoid(W_r x + U_r h + b_r), ...;  n = tanh(W_n x + b_n + r * (U_n h + c));  h <- (1 - z) n + z h
    (Cho et al. 2014, arXiv 1406.1078, in the form of cuDNN and PyTorch, whose b_h of r and z is in b here).
    """

    width: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, mask: Array) -> tuple[Array, Array]:
        """x [n, t, d], mask [n, t] -> (states [n, t, width], the last valid one [n, width])."""
        w = self.width
        # All steps at once: only the product with h has to wait for the step before.
        inputs = nn.Dense(3 * w, dtype=self.dtype, name="input")(x)
        kernel = self.param("recurrent", nn.initializers.orthogonal(), (w, 3 * w), jnp.float32).astype(self.dtype)
        bias = self.param("bias", nn.initializers.zeros_init(), (w,), jnp.float32).astype(self.dtype)

        def step(h, now):
            given, keep = now
            held = h @ kernel
            r, z = (jax.nn.sigmoid(given[:, i * w : (i + 1) * w] + held[:, i * w : (i + 1) * w]) for i in (0, 1))
            n = jnp.tanh(given[:, 2 * w :] + r * (held[:, 2 * w :] + bias[None]))
            h = jnp.where(keep[:, None] > 0, (1 - z) * n + z * h, h)
            return h, h

        begin = jnp.zeros((x.shape[0], w), self.dtype)
        last, states = jax.lax.scan(step, begin, (inputs.transpose(1, 0, 2), mask.T))
        return states.transpose(1, 0, 2), last


class Recurrent(nn.Module):
    """Embedding (ids) or dense layer (numbers), dropout, layers of recurrent units; the last valid state."""

    vocabulary: int
    embedding: int
    width: int
    layers: int
    dropout: float
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, t] ids or [n, t, c] numbers -> [n, width]."""
        mask = valid(x)
        if jnp.issubdtype(x.dtype, jnp.integer):
            x = nn.Embed(self.vocabulary, self.embedding, dtype=self.dtype, name="embedding")(x)
        else:
            x = nn.Dense(self.embedding, dtype=self.dtype, name="dense1")(x)
        last = x[:, 0]
        for i in range(1, self.layers + 1):
            x = Dropout(self.dropout, name=f"dropout{i}")(x, train)
            x, last = Gru(self.width, self.dtype, name=f"gru{i}")(x, mask)
        return Dropout(self.dropout, name="dropout0")(last, train)


class Conv1d(nn.Module):
    """Convolutions over time, each normalised, and the mean over the valid steps (see `conv1d`)."""

    widths: tuple[int, ...]
    kernels: tuple[int, ...]
    dropout: float
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, t, c] -> [n, widths[-1]]."""
        mask = valid(x)
        for i, (width, kernel) in enumerate(zip(self.widths, self.kernels, strict=True), 1):
            x = Conv(width, (1, kernel), dtype=self.dtype, form=self.form, name=f"conv{i}")(x[:, None])[:, 0]
            x = nn.relu(BatchNorm(dtype=self.dtype, name=f"norm{i}")(x, train, frozen, mask=mask))
            x = x * mask[:, :, None].astype(x.dtype)  # or normalisation would fill the padding
        return Dropout(self.dropout, name="dropout1")(masked_mean(x, mask), train)


def gru(
    *,
    vocabulary: int = 20000,
    embedding: int = 128,
    width: int = 128,
    layers: int = 1,
    dropout: float = 0.2,
    bottleneck: int = 128,
) -> Recipe:
    """Recurrent network for ids [n, t] int32 (0 is padding, all below `vocabulary`) or series [n, t, c].

    Steps of zeros at the end of a series are padding; the state after the last step that is not goes on.
    """
    return Recipe(lambda dtype, form: Recurrent(vocabulary, embedding, width, layers, dropout, dtype), bottleneck)


def conv1d(
    *,
    widths: tuple[int, ...] = (128, 256, 128),
    kernels: tuple[int, ...] = (8, 5, 3),
    dropout: float = 0.0,
    bottleneck: int = 128,
) -> Recipe:
    """Fully convolutional network for series [n, t, c], zero padded at the end (Wang et al. 2017, arXiv 1611.06455)."""
    return Recipe(lambda dtype, form: Conv1d(tuple(widths), tuple(kernels), dropout, dtype, form), bottleneck)
