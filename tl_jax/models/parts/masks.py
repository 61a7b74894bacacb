"""The masks of padded sequences."""

import jax.numpy as jnp

from tl_jax.core.types import Array


def lengths(x: Array) -> Array:
    """[n] int32: where the trailing zeros of each x [n, t] or [n, t, c] begin."""
    used = (x != 0).reshape(*x.shape[:2], -1).any(-1)
    return (jnp.arange(1, x.shape[1] + 1)[None, :] * used).max(1).astype(jnp.int32)


def valid(x: Array) -> Array:
    """[n, t] float32, 1 where a position counts: ids other than 0, or steps before the padding of a series."""
    if jnp.issubdtype(x.dtype, jnp.integer):
        return (x != 0).astype(jnp.float32)
    return (jnp.arange(x.shape[1])[None, :] < lengths(x)[:, None]).astype(jnp.float32)


def masked_mean(x: Array, mask: Array) -> Array:
    """Mean of x [n, t, d] over the positions where mask [n, t] is 1; zero where there are none."""
    count = jnp.maximum(mask.sum(1, keepdims=True), 1.0)
    return ((x * mask[:, :, None]).sum(1) / count).astype(x.dtype)
