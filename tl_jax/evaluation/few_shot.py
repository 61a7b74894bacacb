"""Few labels on frozen features: nearest class mean, and N-way K-shot episodes with prototypes."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.core.types import Array
from tl_jax.losses.discrepancy import squared_distances


class Shape(NamedTuple):
    """An episode: classes drawn, support and query examples of each."""

    ways: int = 5
    shots: int = 1
    queries: int = 15


class Episodes(NamedTuple):
    """Accuracy of each episode [e], their mean, and half the width of its 95% confidence interval."""

    accuracies: np.ndarray
    mean: float
    half_width: float


@partial(jax.jit, static_argnames="classes")
def nearest_mean(x: Array, y: Array, queries: Array, classes: int) -> Array:
    """Scores by minus the squared distance to each class mean.

    s_ic = -||q_i - mu_c||^2,   mu_c = mean of the x with y = c

    Args: x [n, d], y [n] int in [0, classes), queries [m, d]. Returns [m, classes], -inf for classes without examples.
    Snell et al. 2017, arXiv 1703.05175 (an episode's prototypes); Mensink et al. 2013.
    """
    member = jax.nn.one_hot(y, classes, dtype=x.dtype)
    size = member.sum(0)
    means = jnp.matmul(member.T, x, precision="highest") / jnp.maximum(size, 1)[:, None]
    return jnp.where(size[None, :] > 0, -squared_distances(queries, means), -jnp.inf)


def episodes(x: Array, y: Array, key: Array, *, shape: Shape | None = None, count: int = 600) -> Episodes:
    """Accuracy of prototypes over random N-way K-shot episodes on frozen features.

    each episode: `ways` classes, `shots` support and `queries` query rows of each, without replacement
    mean +- 1.96 s / sqrt(count),   s the standard deviation over episodes

    Args: x [n, d], y [n] int; shape: 5-way 1-shot with 15 queries by default; count >= 2 episodes, run side by side.
    Classes with fewer than shots + queries rows are never drawn. Snell et al. 2017, arXiv 1703.05175.
    Raises: UserError if fewer than `ways` classes are large enough.
    """
    shape = Shape() if shape is None else shape
    labels, need = np.asarray(y), shape.shots + shape.queries
    names, sizes = np.unique(labels, return_counts=True)
    names = names[sizes >= need]
    if len(names) < shape.ways:
        raise UserError(
            f"{shape.ways}-way {shape.shots}-shot episodes with {shape.queries} queries need {shape.ways} classes of "
            f"{need} examples: {len(names)} of {len(sizes)} classes do. Ask for fewer ways, shots or queries."
        )
    rows = [np.flatnonzero(labels == name) for name in names]
    widest = max(map(len, rows))
    table = np.stack([np.pad(r, (0, widest - len(r)), constant_values=-1) for r in rows])
    accuracies = np.asarray(_episodes(jnp.asarray(x), jnp.asarray(table), jax.random.split(key, count), shape))
    return Episodes(accuracies, float(accuracies.mean()), float(1.96 * accuracies.std(ddof=1) / np.sqrt(count)))


@partial(jax.jit, static_argnames="shape")
def _episodes(x: Array, table: Array, keys: Array, shape: Shape) -> Array:
    """table [classes, widest]: each class's rows, padded with -1."""

    def one(key: Array) -> Array:
        which, order = jax.random.split(key)
        drawn = table[jax.random.permutation(which, len(table))[: shape.ways]]
        # Rows in random order, the padding last.
        place = jnp.where(drawn >= 0, jax.random.uniform(order, drawn.shape), jnp.inf)
        rows = jnp.take_along_axis(drawn, jnp.argsort(place, axis=1), axis=1)
        support, query = x[rows[:, : shape.shots]], x[rows[:, shape.shots : shape.shots + shape.queries]]
        scores = -squared_distances(query.reshape(-1, x.shape[1]), support.mean(1))
        return (scores.argmax(1) == jnp.repeat(jnp.arange(shape.ways), shape.queries)).mean()

    return jax.lax.map(one, keys, batch_size=32)
