"""Networks for token ids [n, t] int32, 0 being padding: convolutions over words, and a small transformer."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from tl_jax.core.types import Array
from tl_jax.models.parts.conv import Conv
from tl_jax.models.parts.layers import Dropout
from tl_jax.models.parts.masks import masked_mean, valid
from tl_jax.models.parts.recipe import Frozen, Recipe


class TextCnn(nn.Module):
    """Convolutions of several widths over the embeddings, the maximum over time of each (see `text_cnn`)."""

    vocabulary: int
    embedding: int
    features: int
    widths: tuple[int, ...]
    dropout: float
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, t] ids -> [n, features * len(widths)]."""
        mask = valid(x)[:, None, :, None].astype(self.dtype)
        x = nn.Embed(self.vocabulary, self.embedding, dtype=self.dtype, name="embedding")(x)[:, None] * mask
        found = []
        for width in self.widths:
            conv = Conv(self.features, (1, width), dtype=self.dtype, form=self.form, name=f"conv{width}")
            # After relu nothing is below the zero of a masked position.
            found.append((nn.relu(conv(x)) * mask).max((1, 2)))
        return Dropout(self.dropout, name="dropout1")(jnp.concatenate(found, axis=-1), train)


def positions(length: int, width: int) -> np.ndarray:
    """Sines and cosines [length, width], wavelengths 2 pi to 20000 pi (Vaswani et al. 2017, arXiv 1706.03762)."""
    angles = np.arange(length)[:, None] / 10000 ** (np.arange(0, width, 2) / width)[None, :]
    return np.concatenate([np.sin(angles), np.cos(angles)], axis=1)[:, :width].astype(np.float32)


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)); padding is never attended to."""

    heads: int
    dropout: float
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, mask: Array, train: bool) -> Array:
        """x [n, t, d], mask [n, t] -> [n, t, d]."""
        width = x.shape[-1]
        y = nn.LayerNorm(dtype=self.dtype, name="norm1")(x)
        attend = nn.MultiHeadDotProductAttention(self.heads, dtype=self.dtype, deterministic=True, name="attention")
        y = attend(y, mask=mask[:, None, None, :] > 0)
        x = x + Dropout(self.dropout, name="dropout1")(y, train)
        y = nn.LayerNorm(dtype=self.dtype, name="norm2")(x)
        y = nn.gelu(nn.Dense(4 * width, dtype=self.dtype, name="dense1")(y))
        y = nn.Dense(width, dtype=self.dtype, name="dense2")(y)
        return x + Dropout(self.dropout, name="dropout2")(y, train)


class TextTransformer(nn.Module):
    """Embeddings and positions, blocks, a last normalisation, the mean over the words (see `text_transformer`)."""

    vocabulary: int
    width: int
    layers: int
    heads: int
    dropout: float
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, t] ids -> [n, width]."""
        mask = valid(x)
        place = jnp.asarray(positions(x.shape[1], self.width), self.dtype)
        x = nn.Embed(self.vocabulary, self.width, dtype=self.dtype, name="embedding")(x) * self.width**0.5
        x = Dropout(self.dropout, name="dropout1")(x + place[None], train)
        for i in range(1, self.layers + 1):
            x = Block(self.heads, self.dropout, self.dtype, name=f"block{i}")(x, mask, train)
        return masked_mean(nn.LayerNorm(dtype=self.dtype, name="norm")(x), mask)


def text_cnn(
    *,
    vocabulary: int = 20000,
    embedding: int = 128,
    features: int = 100,
    widths: tuple[int, ...] = (3, 4, 5),
    dropout: float = 0.5,
    bottleneck: int = 128,
) -> Recipe:
    """Convolutions over words (Kim 2014, arXiv 1408.5882): ids [n, t] int32, 0 is padding, all below `vocabulary`."""
    make = lambda dtype, form: TextCnn(vocabulary, embedding, features, tuple(widths), dropout, dtype, form)
    return Recipe(make, bottleneck)


def text_transformer(
    *,
    vocabulary: int = 20000,
    width: int = 128,
    layers: int = 2,
    heads: int = 4,
    dropout: float = 0.1,
    bottleneck: int = 128,
) -> Recipe:
    """A small transformer with normalisation before each part: ids [n, t] int32, 0 is padding.

    Vaswani et al. 2017, arXiv 1706.03762; Xiong et al. 2020, arXiv 2002.04745.
    """
    return Recipe(lambda dtype, form: TextTransformer(vocabulary, width, layers, heads, dropout, dtype), bottleneck)
