"""A part of a set, and a function of a batch over a whole one, on the device or sent there in parts."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.processes import on_host
from tl_jax.core.types import Array, Tree


def some(size: int, most: int) -> np.ndarray:
    """Rows of a set of `size` in a fixed random order, at most so many: a shorter choice begins a longer one.

    A set may be sorted by class or repeat with a period: the first rows, or every k-th, would be of few classes.
    """
    return np.random.default_rng(0).permutation(size)[:most]


def in_batches(f: Callable[[Array], Tree], x: Array, batch: int = 256) -> Tree:
    """f over x [m, ...] in batches: a tree of arrays [m, ...]; the last batch is padded and its padding dropped.

    f must treat examples independently (evaluation mode): padding would otherwise change the others.
    """
    size = min(batch, len(x))
    padded = jnp.concatenate([x, jnp.repeat(x[:1], -len(x) % size, axis=0)])
    out = jax.lax.map(f, padded.reshape(-1, size, *x.shape[1:]))
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:])[: len(x)], out)


def sent_in_batches(f: Callable[[Any], Tree], x: np.ndarray, *, batch: int = 256, axis: int = 0) -> Tree:
    """f over x [m, ...] on the host in batches, of which at most two are on the device: a tree of arrays on the host.

    axis: that of the examples in what f gives. All batches are of one size, so that f compiles once: the last is filled
    up, and what is too much is dropped. f must treat examples independently.
    """
    outs: list[Any] = []
    for i in range(0, len(x), batch):
        outs.append(f(np.resize(x[i : i + batch], (batch, *x.shape[1:]))))
        outs[-2:-1] = on_host(outs[-2:-1])
    whole = lambda *parts: np.concatenate(parts, axis)[(slice(None),) * axis + (slice(len(x)),)]
    return jax.tree.map(whole, *on_host(outs))
