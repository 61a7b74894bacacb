"""A function of a batch over a whole set, on the device."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, Tree


def in_batches(f: Callable[[Array], Tree], x: Array, batch: int = 256) -> Tree:
    """f over x [m, ...] in batches: a tree of arrays [m, ...]; the last batch is padded and its padding dropped.

    f must treat examples independently (evaluation mode): padding would otherwise change the others.
    """
    size = min(batch, len(x))
    padded = jnp.concatenate([x, jnp.repeat(x[:1], -len(x) % size, axis=0)])
    out = jax.lax.map(f, padded.reshape(-1, size, *x.shape[1:]))
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:])[: len(x)], out)
