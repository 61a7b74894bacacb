"""What transformers are made of: normalisation, attention, and a block that normalises before or after its parts."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn

from tl_jax.core.types import Array
from tl_jax.models.parts.attention import attend
from tl_jax.models.parts.layers import Dropout


def gelu(x: Array) -> Array:
    """x times the normal distribution's share below x, exactly; on a CPU by erf, which takes a third of erfc's time.

    JAX's own is by erfc, which keeps the digits of the tail; in float32 the two differ by less than 1e-6.
    """
    if jax.default_backend() == "cpu" and x.dtype == jnp.float32:
        return 0.5 * x * (1 + jax.lax.erf(x * 0.5**0.5))
    return jax.nn.gelu(x, approximate=False)


ACTIVATIONS: Mapping[str, Callable[[Array], Array]] = {
    "gelu": gelu,
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


def dense(width: int, dtype: Any, name: str, bias: bool = True) -> nn.Dense:
    """Of x [..., d] -> [..., width], every place alike."""
    return nn.Dense(width, bias, dtype=dtype, kernel_init=INIT, dot_general=over_rows, name=name)


def over_rows(x: Array, kernel: Array, dims: Any, **how: Any) -> Array:
    """x [..., d] times kernel [d, k] -> [..., k], for a CPU as the product of two matrices.

    The kernel's gradient sums over all axes of x but the last. Where there are several, XLA's CPU compiler transposes
    both operands first and computes, inside each transposition, the gradients of all later blocks again.
    """
    if jax.default_backend() != "cpu":
        return jax.lax.dot_general(x, kernel, dims, **how)
    y = jax.lax.dot_general(x.reshape(-1, x.shape[-1]), kernel, (((1,), (0,)), ((), ())), **how)
    return y.reshape(*x.shape[:-1], -1)


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
        qkv = dense(3 * d, self.dtype, "qkv")(x)
        q, k, v = (a.reshape(n, t, self.heads, d // self.heads) for a in jnp.split(qkv, 3, axis=-1))
        seen = None if mask is None else mask[:, None, None, :] > 0
        y = attend(q, k, v, mask=seen, causal=self.causal).reshape(n, t, d)
        return dense(d, self.dtype, "out")(y)


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
        drop = lambda name, y: Dropout(self.dropout, name=name)(y, train)
        act = ACTIVATIONS[of.activation]
        mlp = lambda y: dense(of.width, self.dtype, "dense2")(act(dense(of.hidden, self.dtype, "dense1")(y)))
        if of.first:
            x = x + drop("dropout1", self.attend(norm("norm1")(x), seen, train))
            return x + drop("dropout2", mlp(norm("norm2")(x)))
        x = norm("norm1")(x + drop("dropout1", self.attend(x, seen, train)))
        return norm("norm2")(x + drop("dropout2", mlp(x)))

    def attend(self, x: Array, seen: Any, train: bool) -> Array:
        """Attention among x [n, t, d]."""
        return Attention(self.of.heads, self.dtype, name="attention")(x, seen)
