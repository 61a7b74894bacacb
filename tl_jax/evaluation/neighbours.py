"""Nearest neighbours by cosine similarity, exact and in chunks of queries: the kNN classifier and image retrieval.

Memory is chunk x gallery, whatever the number of queries. Numbers of different k and temperature are not
comparable: print both.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.batching import in_batches
from tl_jax.core.errors import UserError
from tl_jax.core.types import Array, Tree


class Retrieval(NamedTuple):
    """Shares in [0, 1]: recall [number of ks] in the order asked, mAP, precision at the largest k; queries judged."""

    recall: np.ndarray
    mean_average_precision: float
    precision: float
    queries: int


def unit(x: Array) -> Array:
    """Rows of length one: x / ||x||, and zero where x is. x [n, d] -> [n, d]."""
    norm = jnp.linalg.norm(x, axis=-1, keepdims=True)
    return x / jnp.where(norm > 0, norm, 1.0)


def similarities(queries: Array, gallery: Array, then: Callable[[Array, Array], Tree], chunk: int = 256) -> Tree:
    """then(cosines [b, n], query numbers [b]) over chunks of b queries; gallery [n, d] -> tree of [m, ...]."""
    gallery = unit(gallery)

    def one(number: Array) -> Tree:
        # Full precision: TF32 and bfloat16 reorder neighbours.
        return then(jnp.matmul(unit(queries[number]), gallery.T, precision="highest"), number)

    return in_batches(one, jnp.arange(len(queries)), chunk)


@partial(jax.jit, static_argnames=("k", "chunk", "leave_out_self"))
def nearest(
    queries: Array, gallery: Array, k: int, chunk: int = 256, *, leave_out_self: bool = False
) -> tuple[Array, Array]:
    """The k gallery rows of largest cosine similarity, the first of equals, most similar first.

    Args: queries [m, d], gallery [n, d], 1 <= k <= n; leave_out_self: query i is row i and not its own neighbour.
    Returns similarities [m, k] and rows [m, k] int. Raises: UserError if k does not fit.
    """
    most = len(gallery) - leave_out_self
    if not 1 <= k <= most:
        raise UserError(f"k={k} neighbours were asked for, the gallery has {most}. Choose k between 1 and {most}.")

    def top(cosine: Array, number: Array) -> tuple[Array, Array]:
        if leave_out_self:
            cosine = jnp.where(number[:, None] == jnp.arange(cosine.shape[1])[None, :], -jnp.inf, cosine)
        most_similar, rows = jax.lax.top_k(cosine, k)
        return most_similar, rows

    return similarities(queries, gallery, top, chunk)


@partial(jax.jit, static_argnames=("classes", "k", "leave_out_self"))
def knn_votes(
    queries: Array,
    gallery: Array,
    y: Array,
    classes: int,
    *,
    k: int = 20,
    temperature: float = 0.07,
    leave_out_self: bool = False,
) -> Array:
    """Weighted votes of the k nearest neighbours.

    v_ic = sum_{j in N_k(i)} [y_j = c] exp(s_ij / temperature),   s the cosine similarity

    Args: queries [m, d], gallery [n, d] with labels y [n] in [0, classes); temperature > 0, may be traced.
    Returns [m, classes], scaled so that the nearest neighbour votes with 1 (argmax is the prediction).
    Wu et al. 2018, arXiv 1805.01978; Caron et al. 2021, arXiv 2104.14294 (k = 20, temperature .07).
    """
    s, rows = nearest(queries, gallery, k, leave_out_self=leave_out_self)
    # Only differences from the nearest matter; exp(1 / .01) would overflow.
    weights = jnp.exp((s - s[:, :1]) / temperature)
    return (weights[:, :, None] * jax.nn.one_hot(y[rows], classes, dtype=weights.dtype)).sum(1)


def knn_accuracy(
    queries: Array, y_q: Array, gallery: Array, y: Array, *, k: int = 20, temperature: float = 0.07
) -> float:
    """Accuracy of the weighted kNN classifier: y_q [m] of the queries, y [n] of the gallery -> share in [0, 1]."""
    classes = 1 + max(int(np.max(y_q)), int(np.max(y)))
    votes = knn_votes(jnp.asarray(queries), jnp.asarray(gallery), jnp.asarray(y), classes, k=k, temperature=temperature)
    return float((votes.argmax(1) == jnp.asarray(y_q)).mean())


def retrieval(
    queries: Array, y_q: Array, gallery: Array, y: Array, *, ks: Sequence[int] = (1, 5, 10), chunk: int = 256
) -> Retrieval:
    """Retrieval of the same class across domains: queries in the target, gallery in the source.

    recall@k = share of queries with at least one of their class among the k most similar
    AP_i = (1 / R_i) sum over ranks r of relevant rows of (relevant rows up to r) / r,   mAP = mean_i AP_i

    over the whole ranking of the gallery. Queries whose class is not in the gallery are left out and not counted.

    Args: queries [m, d], y_q [m] int, gallery [n, d], y [n] int (labels are for judging only); 1 <= k <= n.
    Raises: UserError if a k does not fit, or no query has its class in the gallery.
    """
    if not ks or min(ks) < 1 or max(ks) > len(gallery):
        raise UserError(f"recall@k was asked for k={tuple(ks)}, the gallery has {len(gallery)} rows.")
    hits, average, precision, relevant = (
        np.asarray(x)
        for x in _ranked(
            jnp.asarray(queries), jnp.asarray(y_q), jnp.asarray(gallery), jnp.asarray(y), ks=tuple(ks), chunk=chunk
        )
    )
    judged = relevant > 0
    if not judged.any():
        raise UserError("No query has an example of its class in the gallery: the two share no class.")
    return Retrieval(
        hits[judged].mean(0), float(average[judged].mean()), float(precision[judged].mean()), int(judged.sum())
    )


@partial(jax.jit, static_argnames=("ks", "chunk"))
def _ranked(queries: Array, y_q: Array, gallery: Array, y: Array, *, ks: tuple[int, ...], chunk: int):
    rank = jnp.arange(1, len(gallery) + 1)

    def judge(cosine: Array, number: Array):
        order = jnp.argsort(-cosine, axis=1, stable=True)
        same = y[order] == y_q[number][:, None]
        found = jnp.cumsum(same, axis=1)
        average = jnp.where(same, found / rank[None, :], 0.0).sum(1) / jnp.maximum(found[:, -1], 1)
        hits = jnp.stack([found[:, k - 1] > 0 for k in ks], 1)
        return hits, average, found[:, max(ks) - 1] / max(ks), found[:, -1]

    return similarities(queries, gallery, judge, chunk)
