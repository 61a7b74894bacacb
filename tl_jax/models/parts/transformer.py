"""What transformers are made of: normalisation, attention, and a block that normalises before or after its parts."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from tl_jax.core.types import Array
from tl_jax.models.parts.layers import Dropout

ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "gelu": lambda x: jax.nn.gelu(x, approximate=False),
    "gelu_new": jax.nn.gelu,
    "gelu_pytorch_tanh": jax.nn.gelu,
    "relu": jax.nn.relu,
    "quick_gelu": lambda x: x * jax.nn.sigmoid(1.702 * x),
}
"""By the names of a config.json."""
EPSILON = 1e-6
INIT = nn.initializers.truncated_normal(0.02)


def layer_norm(dtype: Any, name: str, epsilon: float = EPSILON) -> nn.LayerNorm:
    """Over the channels; the variance is the mean of (x - mean)^2, which does not cancel."""
    return nn.LayerNorm(epsilon=epsilon, dtype=dtype, use_fast_variance=False, name=name)


class Attention(nn.Module):
    """Softmax(q k^T / sqrt(d / heads)) v for every head; q, k and v from one product.

    causal: a place sees itself and those before it alone.
    """

    heads: int
    dtype: Any
    causal: bool = False

    @nn.compact
    def __call__(self, x: Array, mask: Array | None = None) -> Array:
        """x [n, t, d] -> [n, t, d]; mask [n, t]: 1 where a place may be looked at, None: everywhere."""
        n, t, d = x.shape
        qkv = nn.Dense(3 * d, dtype=self.dtype, kernel_init=INIT, name="qkv")(x)
        q, k, v = (a.squeeze(2) for a in jnp.split(qkv.reshape(n, t, 3, self.heads, d // self.heads), 3, axis=2))
        seen = None if mask is None else mask[:, None, None, :] > 0
        y = jax.nn.dot_product_attention(q, k, v, mask=seen, is_causal=self.causal).reshape(n, t, d)
        return nn.Dense(d, dtype=self.dtype, kernel_init=INIT, name="out")(y)


class Layers(NamedTuple):
    """Of a stack of blocks; first: whether they normalise what goes into each part, and not what comes out."""

    width: int
    layers: int
    heads: int
    hidden: int
    epsilon: float = 1e-5
    activation: str = "gelu"
    first: bool = True


class Block(nn.Module):
    """x + attention(norm(x)), then x + mlp(norm(x)); or norm(x + attention(x)), then norm(x + mlp(x)).

    mlp(x) = dense(act(dense(x))). What is seen is a mask [n, t] (None: all), or whatever else an attention of its own
    takes (`attend`); what is masked is never attended to.
    """

    of: Layers
    dropout: float
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, seen: Any, train: bool) -> Array:
        """x [n, t, d] -> [n, t, d]."""
        of = self.of
        norm = lambda name: layer_norm(self.dtype, name, of.epsilon)
        dense = lambda width, name: nn.Dense(width, dtype=self.dtype, kernel_init=INIT, name=name)
        drop = lambda name, y: Dropout(self.dropout, name=name)(y, train)
        mlp = lambda y: dense(of.width, "dense2")(ACTIVATIONS[of.activation](dense(of.hidden, "dense1")(y)))
        if of.first:
            x = x + drop("dropout1", self.attend(norm("norm1")(x), seen, train))
            return x + drop("dropout2", mlp(norm("norm2")(x)))
        x = norm("norm1")(x + drop("dropout1", self.attend(x, seen, train)))
        return norm("norm2")(x + drop("dropout2", mlp(x)))

    def attend(self, x: Array, seen: Any, train: bool) -> Array:
        """Attention among x [n, t, d]."""
        return Attention(self.of.heads, self.dtype, name="attention")(x, seen)
