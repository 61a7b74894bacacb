"""A part of a set, and a function of a batch over a whole one, on the device or sent there in parts."""

from collections.abc import Callable, Sequence
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


def usual_batch() -> int:
    """Examples that pass at once where nothing is differentiated: 256, on a CPU 32.

    A CPU's cache then holds what a layer gives (benchmarks/evaluating.py: half the time of 256 for small networks).
    """
    return 32 if jax.default_backend() == "cpu" else 256


def batch_of(size: int) -> int:
    """A power of two for a set of `size`, at most the usual one: few sizes, so few programs."""
    return min(usual_batch(), 1 << (size - 1).bit_length())


def in_batches(f: Callable[[Array], Tree], x: Array, batch: int = 0) -> Tree:
    """f over x [m, ...] in batches (0: the usual one): a tree of arrays [m, ...]; padding of the last is dropped.

    f must treat examples independently (evaluation mode): padding would otherwise change the others.
    """
    size = min(batch or usual_batch(), len(x))
    padded = jnp.concatenate([x, jnp.repeat(x[:1], -len(x) % size, axis=0)])
    out = jax.lax.map(f, padded.reshape(-1, size, *x.shape[1:]))
    return jax.tree.map(lambda a: a.reshape(-1, *a.shape[2:])[: len(x)], out)


def sent_in_batches(f: Callable[[Any], Tree], x: np.ndarray, *, batch: int = 0, axis: int = 0) -> Tree:
    """f over x [m, ...] on the host in batches, of which at most two are on the device: a tree of arrays on the host.

    batch: 0 is the usual one.
    axis: that of the examples in what f gives. All batches are of one size, so that f compiles once: the last is filled
    up, and what is too much is dropped. f must treat examples independently.
    """
    outs: list[Any] = []
    batch = batch or usual_batch()
    for i in range(0, len(x), batch):
        outs.append(f(np.resize(x[i : i + batch], (batch, *x.shape[1:]))))
        outs[-2:-1] = on_host(outs[-2:-1])
    whole = lambda *parts: np.concatenate(parts, axis)[(slice(None),) * axis + (slice(len(x)),)]
    return jax.tree.map(whole, *on_host(outs))


SHORTEST = 16
"""No length below is worth a program of its own."""


def ladder(longest: int) -> tuple[int, ...]:
    """The lengths to which examples are cut: an eighth of `longest`, a quarter, a half, three quarters, all of it.

    In eights, and few: a program is compiled for each that is met.
    """
    parts = {-(-longest * share // 64) * 8 for share in (1, 2, 4, 6)}
    return (*sorted(part for part in parts if SHORTEST <= part < longest), longest)


def ends(x: np.ndarray, chunk: int = 4096) -> np.ndarray:
    """[m]: where the trailing zeros of each x [m, t] begin."""
    parts = [x[i : i + chunk] != 0 for i in range(0, len(x), chunk)]
    return np.concatenate([np.where(used.any(1), x.shape[1] - used[:, ::-1].argmax(1), 0) for used in parts])


def sent_by_length(
    f: Callable[[Any], Tree], x: np.ndarray, lengths: Sequence[int], *, batch: int = 0, axis: int = 0
) -> Tree:
    """`sent_in_batches` of x [m, t], the shortest first, every batch cut to the least of `lengths` that holds it.

    In the order of x; with no lengths as it is. f must give the same whatever zeros stand at the end of an example.
    """
    if not lengths:
        return sent_in_batches(f, x, batch=batch, axis=axis)
    found = ends(x)
    order = np.argsort(found, kind="stable")

    def cut(rows: np.ndarray) -> Tree:
        least = next((n for n in lengths if n >= found[rows].max()), x.shape[1])
        return f(x[rows][:, :least])

    out, back = sent_in_batches(cut, order, batch=batch, axis=axis), np.argsort(order)
    return jax.tree.map(lambda a: np.take(a, back, axis), out)
