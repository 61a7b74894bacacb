"""Gradient balancing that goes through the tasks in a random order, or through single coordinates.

`pcgrad` and `gradvac` are functions of the Gramian G = J J' [k, k], as those of `by_gramian.py`, and of a key.
`graddrop` acts on single coordinates: it needs the gradients themselves and says so in its type.
"""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, Tree


def pcgrad(gramian: Array, key: Array) -> Array:
    """Sum of the gradients, each projected off those it conflicts with, in random order.

    for j != i in a random order:  v_i -= min(v_i.g_j, 0) / ||g_j||^2 g_j,   v_i = g_i at first;   d = sum_i v_i

    Args: gramian [k, k]; key: draws one order a task. Returns [k]. Yu et al. 2020, arXiv 2001.06782.
    """

    k = gramian.shape[0]

    def project(i: Array, v: Array, j: Array) -> Array:
        own = gramian[j, j]
        overlap = jnp.minimum(gramian[j] @ v, 0.0) / jnp.where(own > 0, own, 1.0)
        return v.at[j].add(jnp.where(i == j, 0.0, -overlap))

    def one(i: Array, order: Array) -> Array:
        return jax.lax.fori_loop(0, k, lambda n, v: project(i, v, order[n]), jnp.eye(k, dtype=gramian.dtype)[i])

    return jax.vmap(one)(jnp.arange(k), _orders(key, k)).sum(0)


def gradvac(gramian: Array, target: Array, key: Array, *, beta: float = 0.5) -> tuple[Array, Array]:
    """Like `pcgrad`, but towards a running mean of the cosine instead of towards zero.

    if cos < t:  v_i += ||v_i|| (t sqrt(1 - cos^2) - cos sqrt(1 - t^2)) / (||g_j|| sqrt(1 - t^2)) g_j
    t_ij <- (1 - beta) t_ij + beta cos(v_i, g_j), t_ij = 0 at first

    Args: gramian [k, k]; target [k, k] in [-1, 1]; key; beta in [0, 1]. Returns weights [k] and the next target.
    Wang et al. 2021, arXiv 2010.05874 (there beta = .01).
    """
    k = gramian.shape[0]
    norms = jnp.sqrt(jnp.maximum(jnp.diagonal(gramian), 0.0))

    def pull(i: Array, now: tuple[Array, Array], j: Array) -> tuple[Array, Array]:
        v, t = now
        length = jnp.sqrt(jnp.maximum(v @ gramian @ v, 0.0))
        scale = length * norms[j]
        cos = jnp.clip(jnp.where(scale > 0, gramian[j] @ v / jnp.where(scale > 0, scale, 1.0), 0.0), -1.0, 1.0)
        goal = jnp.clip(t[j], -0.999, 0.999)
        rest = jnp.sqrt(1 - goal**2)
        add = length * (goal * jnp.sqrt(1 - cos**2) - cos * rest) / jnp.where(norms[j] > 0, norms[j] * rest, 1.0)
        active = (i != j) & (scale > 0)
        moved = v.at[j].add(jnp.where(active & (cos < goal), add, 0.0))
        return moved, t.at[j].set(jnp.where(active, (1 - beta) * t[j] + beta * cos, t[j]))

    def one(i: Array, order: Array) -> tuple[Array, Array]:
        start = (jnp.eye(k, dtype=gramian.dtype)[i], target[i])
        return jax.lax.fori_loop(0, k, lambda n, now: pull(i, now, order[n]), start)

    v, following = jax.vmap(one)(jnp.arange(k), _orders(key, k))
    return v.sum(0), following


def graddrop(gradients: Tree, key: Array, *, leak: float = 0.0) -> Tree:
    """Sum of the gradients, each coordinate kept for one sign only, drawn by how pure its sign is.

    d = sum_i (leak + (1 - leak) m_i) g_i,   m_i = [P > u] if g_i > 0, [P < u] if g_i < 0
    P = (1 + sum_i g_i / sum_i |g_i|) / 2,   u uniform in [0, 1], one a coordinate

    Args: gradients: tree of [k, ...], NOT their Gramian; key; leak in [0, 1], 1 being the plain sum.
    Returns a tree of [...]. Chen et al. 2020, arXiv 2010.06808.
    """
    leaves, structure = jax.tree.flatten(gradients)
    keys = jax.random.split(key, len(leaves))

    def drop(g: Array, key: Array) -> Array:
        whole = jnp.abs(g).sum(0)
        purity = (1 + g.sum(0) / jnp.where(whole > 0, whole, 1.0)) / 2
        positive = (purity > jax.random.uniform(key, purity.shape, g.dtype))[None]
        return ((leak + (1 - leak) * jnp.where(g > 0, positive, ~positive)) * g).sum(0)

    return jax.tree.unflatten(structure, [drop(g, k) for g, k in zip(leaves, keys, strict=True)])


def _orders(key: Array, k: int) -> Array:
    """A random order of all tasks for each task: [k, k]."""
    return jax.vmap(lambda key: jax.random.permutation(key, k))(jax.random.split(key, k))
