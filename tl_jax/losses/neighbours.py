"""Neighbours of a batch in a bank of what a network said of the whole set."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, Output

Bank = Mapping[str, Array]


def unit(x: Array) -> Array:
    """Rows of x [n, d] of length 1; a row of zeros stays."""
    return x * jax.lax.rsqrt(jnp.maximum(jnp.square(x).sum(1, keepdims=True), 1e-12))


def nearest(x: Array, rows: Array, bank: Array, k: int) -> Array:
    """Rows [n, k] of the bank [m, d] that are nearest by cosine to each of x [n, d], an example's own row left out.

    rows [n]: which examples of the bank x are. x and bank have rows of length 1. Of a bank with fewer than k others
    all of them are taken, m - 1. No gradient flows.
    """
    similar = jnp.matmul(jax.lax.stop_gradient(x), bank.T, precision="highest")
    own = rows[:, None] == jnp.arange(len(bank))[None, :]
    return jax.lax.top_k(jnp.where(own, -jnp.inf, similar), min(k, len(bank) - 1))[1]


def remembered(out: Output) -> Bank:
    """What a bank keeps of n examples: features [n, d] of length 1 and predictions [n, c], softmax(logits)."""
    return {"features": unit(out.features), "predictions": jax.nn.softmax(out.logits)}


def replaced(bank: Bank, rows: Array, new: Bank) -> Bank:
    """The bank with other entries in these rows [n]."""
    return jax.tree.map(lambda old, entries: old.at[rows].set(entries), bank, new)
