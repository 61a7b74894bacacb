"""ModernBERT (Warner et al. 2024, arXiv 2412.13663): rotated queries and keys, gated layers, windows of attention."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from tl_jax.core.types import Array
from tl_jax.models.files.published import Sizes, in_vocabulary
from tl_jax.models.parts.attention import attend
from tl_jax.models.parts.layers import Dropout
from tl_jax.models.parts.masks import masked_mean, valid
from tl_jax.models.parts.recipe import Frozen
from tl_jax.models.parts.transformer import ACTIVATIONS, INIT, dense


def rotated(x: Array, theta: float) -> Array:
    """Every pair (x_i, x_{i + d/2}) of x [n, t, h, d] turned by t theta^(-2i/d) (Su et al. 2021, arXiv 2104.09864)."""
    t, half = x.shape[1], x.shape[-1] // 2
    angle = np.arange(t)[:, None] * theta ** (-np.arange(half) / half)[None]
    cos, sin = (jnp.asarray(f(angle), jnp.float32)[None, :, None] for f in (np.cos, np.sin))
    a, b = jnp.split(x.astype(jnp.float32), 2, axis=-1)
    return jnp.concatenate([a * cos - b * sin, b * cos + a * sin], axis=-1).astype(x.dtype)


class Attention(nn.Module):
    """Softmax(q k^T / sqrt(d)) v with rotated q and k, for a local layer within `window` places on either side."""

    sizes: Sizes
    local: bool
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, mask: Array) -> Array:
        """x [n, t, d], mask [n, t] -> [n, t, d]."""
        (n, t, d), size = x.shape, self.sizes
        wide = lambda width, name: dense(width, self.dtype, name, bias=False)
        qkv = jnp.split(wide(3 * d, "qkv")(x), 3, axis=-1)
        q, k, v = (a.reshape(n, t, size.heads, d // size.heads) for a in qkv)
        theta = size.theta[int(self.local)]
        seen = mask[:, None, None, :] > 0
        if self.local:
            place = np.arange(t)
            seen = seen & (np.abs(place[:, None] - place[None]) <= size.window)[None, None]
        y = attend(rotated(q, theta), rotated(k, theta), v, mask=seen)
        return wide(d, "out")(y.reshape(n, t, d))


class Block(nn.Module):
    """x + attention(norm(x)), then x + dense(act(a) * b), (a, b) = dense(norm(x)); the first block lacks norm1."""

    sizes: Sizes
    number: int
    dropout: float
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, mask: Array, train: bool) -> Array:
        """x [n, t, d], mask [n, t] -> [n, t, d]."""
        size = self.sizes
        wide = lambda width, name: dense(width, self.dtype, name, bias=False)
        y = x if self.number == 1 else unbiased(size, self.dtype, "norm1")(x)
        x = x + Attention(size, size.local[self.number - 1], self.dtype, name="attention")(y, mask)
        a, b = jnp.split(wide(2 * size.hidden, "dense1")(unbiased(size, self.dtype, "norm2")(x)), 2, axis=-1)
        y = Dropout(self.dropout, name="dropout1")(ACTIVATIONS[size.activation](a) * b, train)
        return x + wide(size.width, "dense2")(y)


def unbiased(sizes: Sizes, dtype: Any, name: str) -> nn.LayerNorm:
    """Normalisation over the channels with a scale alone."""
    return nn.LayerNorm(sizes.epsilon, use_bias=False, dtype=dtype, use_fast_variance=False, name=name)


class Modern(nn.Module):
    """Normalised embeddings, blocks, a last norm, and the first place or the mean over the words (see `modernbert`)."""

    sizes: Sizes
    pooling: str
    dropout: float
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, t] ids -> [n, width]."""
        mask, size = valid(x), self.sizes
        x = Words(size, self.dtype, name="embed")(x)
        for i in range(1, size.layers + 1):
            x = Block(size, i, self.dropout, self.dtype, name=f"block{i}")(x, mask, train)
        x = unbiased(size, self.dtype, "norm")(x)
        return x[:, 0] if self.pooling == "cls" else masked_mean(x, mask)


class Words(nn.Module):
    """norm(word)."""

    sizes: Sizes
    dtype: Any

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x [n, t] ids -> [n, t, d]."""
        table = nn.Embed(self.sizes.vocabulary, self.sizes.width, embedding_init=INIT, dtype=self.dtype, name="word")
        return unbiased(self.sizes, self.dtype, "norm")(table(in_vocabulary(x, self.sizes)))
