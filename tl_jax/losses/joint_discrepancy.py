"""Kernel distances of features together with predictions or labels."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array
from tl_jax.losses.classes import mean_where
from tl_jax.losses.discrepancy import BANDWIDTHS, mean_squared_distance, squared_distances

Pair = tuple[Array, Array]
KERNELS = (0.25, 0.5, 1.0, 2.0, 4.0)
"""Multiples of the mean squared distance of two classes, for `contrastive_discrepancy`."""


def gaussians(x: Pair, *, diagonal: bool = True) -> tuple[Array, Array, Array]:
    """k(s, s) [n, n], k(t, t) [m, m], k(s, t) [n, m] of x = (x_s, x_t): the sum of the kernels of `discrepancy.mmd`.

    diagonal: whether the mean distance that sets their widths counts the zero pairs (i, i), as there.
    """
    scale = jnp.maximum(jax.lax.stop_gradient(mean_squared_distance(*x, diagonal)), 1e-30)
    kernel = lambda d: sum((jnp.exp(d / (-2 * b * scale)) for b in BANDWIDTHS), jnp.zeros_like(d))
    s, t = x
    return kernel(squared_distances(s, s)), kernel(squared_distances(t, t)), kernel(squared_distances(s, t))


def joint_mmd(features: Pair, predictions: Pair, width: float = 0.92) -> Array:
    """Squared maximum mean discrepancy of (feature, prediction) under the product of their kernels, unbiased.

    k = (sum_b exp(-||f - f'||^2 / (2 sigma_b^2))) exp(-||p - p'||^2 / (2 width^2)), sigma_b as in `mmd`

    Args: features ([n, d], [m, d]); predictions ([n, c], [m, c]), probabilities. Returns a scalar.
    Long et al. 2017, arXiv 1605.06636.
    """
    s, t = predictions
    second = lambda a, b: jnp.exp(squared_distances(a, b) / (-2 * width**2))
    of_f, of_p = gaussians(features), (second(s, s), second(t, t), second(s, t))
    ss, tt, st = (a * b for a, b in zip(of_f, of_p, strict=True))
    return _off_diagonal_mean(ss) + _off_diagonal_mean(tt) - 2 * st.mean()


def local_mmd(features: Pair, shares: Pair) -> Array:
    """Maximum mean discrepancy class by class, averaged over the classes that both samples name.

    sum_ij w_i w_j k(s_i, s_j) + sum_ij v_i v_j k(t_i, t_j) - 2 sum_ij w_i v_j k(s_i, t_j), for every class,
    with w, v the columns of `shares` divided by their sums; diagonals included, but not in the kernels' width

    A sample names the classes that are the greatest share of a row; without one in common the value is 0. So does the
    authors' code; the paper writes the mean over all classes, and its weights are 0 / 0 where the source has none.

    Args: features ([n, d], [m, d]); shares ([n, c] one-hot labels, [m, c] predictions, detached). Returns a
    scalar >= 0. Zhu et al. 2021, doi 10.1109/TNNLS.2020.2988928.
    """
    ss, tt, st = gaussians(features, diagonal=False)
    w, v = (_of_sum_one(jax.lax.stop_gradient(share)) for share in shares)
    both = jnp.all(jnp.stack([_named(share) for share in shares]), 0).astype(ss.dtype)
    within = lambda a, k, b: (a * (k @ b)).sum(0)
    by_class = within(w, ss, w) + within(v, tt, v) - 2 * within(w, st, v)
    return mean_where(by_class, both)


def contrastive_discrepancy(x_s: Array, x_t: Array, y_s: Array, y_t: Array, classes: int) -> tuple[Array, Array]:
    """(intra, inter): the squared discrepancy of a class from itself in the other domain, and from another class.

    D_kl = mean_{i,j in s:k} K(s_i, s_j) + mean_{i,j in t:l} K(t_i, t_j) - 2 mean_{i in s:k, j in t:l} K(s_i, t_j)
    intra = mean_k D_kk,  inter = mean_{k != l} D_kl  over the classes that both batches have

    K(x, x') = sum_b exp(-|x - x'|^2 / (b g_kl)), b = 1/4 to 4, g_kl the mean squared distance within what k of the
    source and l of the target are together, detached. Without two such classes inter is 0, without one intra too.

    Args: x_s [n, d], x_t [m, d]; y_s [n], y_t [m] int in 0..classes-1, negative: of no class. Returns two scalars.
    Kang et al. 2019, arXiv 1901.00976.
    """
    a, b = (jax.nn.one_hot(y, classes, dtype=x_s.dtype) for y in (y_s, y_t))
    n, m = a.sum(0), b.sum(0)
    ss, tt, st = squared_distances(x_s, x_s), squared_distances(x_t, x_t), squared_distances(x_s, x_t)
    pairs = n[:, None] ** 2 + m[None, :] ** 2 + 2 * n[:, None] * m[None, :] - n[:, None] - m[None, :]
    within = lambda one, d: (one * (d @ one)).sum(0)
    total = within(a, ss)[:, None] + within(b, tt)[None, :] + 2 * a.T @ st @ b
    width = jax.lax.stop_gradient(jnp.maximum(total / jnp.maximum(pairs, 1), 1e-5))
    kernel = lambda d, g: sum((jnp.exp(-d / (c * jnp.maximum(g, 1e-5))) for c in KERNELS), jnp.zeros(()))

    def alike(one: Array, d: Array, width: Array) -> Array:
        """[c, c]: the mean kernel within each class of one domain, by the other class that sets its width."""
        by_pair = kernel(d[:, :, None], (one @ width)[:, None, :])
        count = jnp.maximum(one.sum(0), 1)[:, None]
        return one.T @ ((one @ one.T)[:, :, None] * by_pair).sum(1) / count**2

    across = a.T @ kernel(st, a @ width @ b.T) @ b / jnp.maximum(n[:, None] * m[None, :], 1)
    apart = alike(a, ss, width) + alike(b, tt, width.T).T - 2 * across
    both = ((n > 0) & (m > 0)).astype(x_s.dtype)
    same, other = jnp.diag(both), both[:, None] * both[None, :] * (1 - jnp.eye(classes, dtype=x_s.dtype))
    return mean_where(apart, same), mean_where(apart, other)


def _of_sum_one(shares: Array) -> Array:
    """Columns divided by their sums; a column of zeros stays one."""
    total = shares.sum(0, keepdims=True)
    return shares / jnp.where(total > 0, total, 1.0)


def _named(shares: Array) -> Array:
    """[c]: whether a class is the greatest share of some row of [n, c]; a row of zeros names none."""
    chosen = jax.nn.one_hot(shares.argmax(1), shares.shape[1], dtype=bool)
    return (chosen & (shares > 0)).any(0)


def _off_diagonal_mean(k: Array) -> Array:
    n = k.shape[0]
    return jnp.where(jnp.eye(n, dtype=bool), 0.0, k).sum() / (n * (n - 1))
