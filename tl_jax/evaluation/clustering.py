"""Clustering accuracy: k-means on frozen features, clusters matched to classes one to one."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.types import Array
from tl_jax.losses.discrepancy import squared_distances


class Clusters(NamedTuple):
    """centres [k, d], the cluster of each row [n], and the sum of squared distances to the centres."""

    centres: Array
    assigned: Array
    inertia: Array


@partial(jax.jit, static_argnames=("k", "steps", "restarts"))
def kmeans(x: Array, key: Array, k: int, *, steps: int = 50, restarts: int = 4) -> Clusters:
    """k-means: seeded k-means++ and Lloyd's steps, the best of several restarts.

    Args: x [n, d], 1 <= k <= n; key: the same key gives the same clusters. An empty cluster keeps its centre.
    Arthur & Vassilvitskii 2007 (SODA).
    """
    runs = jax.lax.map(lambda one: _lloyd(x, _plus_plus(x, one, k), steps), jax.random.split(key, restarts))
    best = jnp.argmin(runs.inertia)
    return jax.tree.map(lambda a: a[best], runs)


def clustering_accuracy(clusters: Array, y: Array) -> float:
    """Accuracy under the best one-to-one matching of clusters to classes.

    max over injections pi of (1/n) sum_i [pi(cluster_i) = y_i],   by the Hungarian algorithm

    Args: clusters [n] int >= 0, y [n] int >= 0; with more clusters than classes the rest count as wrong.
    """
    from scipy.optimize import linear_sum_assignment

    found, labels = np.asarray(clusters), np.asarray(y)
    counts = np.zeros((found.max() + 1, labels.max() + 1), np.int64)
    np.add.at(counts, (found, labels), 1)
    return float(counts[linear_sum_assignment(counts, maximize=True)].sum() / len(labels))


def _plus_plus(x: Array, key: Array, k: int) -> Array:
    """Centres drawn with probability in proportion to the squared distance to the nearest one so far."""
    first, *keys = jax.random.split(key, k)
    start = x[jax.random.randint(first, (), 0, len(x))]
    centres = jnp.tile(start[None, :], (k, 1))
    near = squared_distances(x, start[None, :])[:, 0]

    def add(carry, step):
        centres, near = carry
        number, key = step
        # All distances are zero where there are fewer distinct rows than centres: any row will do.
        chosen = x[jax.random.categorical(key, jnp.where(near.max() > 0, jnp.log(near), 0.0))]
        near = jnp.minimum(near, squared_distances(x, chosen[None, :])[:, 0])
        return (centres.at[number].set(chosen), near), None

    if not keys:
        return centres
    return jax.lax.scan(add, (centres, near), (jnp.arange(1, k), jnp.stack(keys)))[0][0]


def _lloyd(x: Array, centres: Array, steps: int) -> Clusters:
    k = len(centres)

    def move(_, centres):
        member = jax.nn.one_hot(squared_distances(x, centres).argmin(1), k, dtype=x.dtype)
        size = member.sum(0)[:, None]
        return jnp.where(size > 0, jnp.matmul(member.T, x, precision="highest") / jnp.maximum(size, 1), centres)

    centres = jax.lax.fori_loop(0, steps, move, centres)
    distances = squared_distances(x, centres)
    return Clusters(centres, distances.argmin(1), distances.min(1).sum())
