"""Distances between two samples of features: kernel mean embeddings and second moments."""

from collections.abc import Callable, Sequence

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array

BANDWIDTHS: tuple[float, ...] = tuple(2.0**k for k in range(-3, 2))
"""Multiples of the mean squared distance, 2^-3 ... 2^1: the family in use since DAN."""

ESTIMATORS = ("unbiased", "biased", "linear", "cyclic")


def squared_distances(x: Array, y: Array) -> Array:
    """Squared Euclidean distances of all pairs.

    D_ij = ||x_i - y_j||^2

    Args: x [n, d], y [m, d]. Returns [n, m], never negative; the gradient at x_i = y_j is finite.
    Raises: ValueError unless both are two-dimensional with the same d.
    """
    _check(x, y, least=1)
    # ||x||^2 + ||y||^2 - 2 x.y cancels badly far from the origin, so the origin moves to the mean
    # (distances do not notice), and the product is kept out of TF32 and bfloat16.
    origin = jax.lax.stop_gradient(jnp.concatenate([x, y]).mean(0, keepdims=True))
    x, y = x - origin, y - origin
    cross = jnp.matmul(x, y.T, precision="highest")
    return jnp.maximum((x * x).sum(1)[:, None] + (y * y).sum(1)[None, :] - 2 * cross, 0.0)


def mean_squared_distance(x_s: Array, x_t: Array, diagonal: bool = True) -> Array:
    """Mean squared distance over all pairs of the pooled sample, in linear time.

    (1/N^2) sum_ij ||z_i - z_j||^2 = (2/N) sum_i ||z_i - z_bar||^2,   z = (x_s, x_t), N = n + m

    Args: x_s [n, d], x_t [m, d]; diagonal: count the N zero pairs (i, i) too; without them the mean
    is N / (N - 1) times larger. Returns a scalar.
    """
    z = jnp.concatenate([x_s, x_t])
    count = z.shape[0]
    spread = jnp.square(z - z.mean(0, keepdims=True)).sum()
    return 2 * spread / (count if diagonal else count - 1)


def mmd(
    x_s: Array,
    x_t: Array,
    bandwidths: Sequence[float | Array] = BANDWIDTHS,
    estimator: str = "unbiased",
    *,
    diagonal: bool = True,
) -> Array:
    """Squared maximum mean discrepancy under a sum of Gaussian kernels.

    k(x, y) = sum_b exp(-||x - y||^2 / (2 sigma_b^2)),   sigma_b^2 = b * mean squared distance, detached
    unbiased: sum_{i != j} k(s_i, s_j) / (n (n-1)) + sum_{i != j} k(t_i, t_j) / (m (m-1)) - 2 mean k(s_i, t_j)
    biased:   mean k(s_i, s_j) + mean k(t_i, t_j) - 2 mean k(s_i, t_j), diagonals included
    linear:   mean of h_i = k(s, s') + k(t, t') - k(s, t') - k(s', t) over the disjoint pairs of rows (0, 1), (2, 3) ...
    cyclic:   mean of h_i over the n pairs (i, i + 1 mod n); like linear unbiased and in O(n) time

    Args: x_s [n, d], x_t [m, d]; bandwidths: multiples b of the mean squared distance (the five powers
    of two are both common choices: exp(-D / (2 sigma^2)) from 2^-3 and exp(-D / bandwidth) from 2^-2);
    diagonal: whether that mean counts the zero pairs (i, i), as DAN's published code does.
    Returns a scalar; only "biased" is never negative.
    Raises: ValueError on unequal d, fewer than 2 rows, an unknown estimator, or "linear" and "cyclic" with n != m.
    Gretton et al. 2012 (JMLR 13:723); Long et al. 2015, arXiv 1502.02791.
    """
    _check(x_s, x_t, least=2)
    if estimator not in ESTIMATORS:
        raise ValueError(f"unknown estimator {estimator!r}; there are {', '.join(ESTIMATORS)}")
    # Without the stop the bandwidth could widen to hide the discrepancy. All points equal: k = 1.
    scale = jnp.maximum(jax.lax.stop_gradient(mean_squared_distance(x_s, x_t, diagonal)), 1e-30)

    def kernel(squared: Array) -> Array:
        return sum((jnp.exp(squared / (-2 * b * scale)) for b in bandwidths), jnp.zeros_like(squared))

    if estimator in ("linear", "cyclic"):
        return _linear(x_s, x_t, kernel, cyclic=estimator == "cyclic")
    k_ss, k_tt, k_st = (kernel(squared_distances(a, b)) for a, b in ((x_s, x_s), (x_t, x_t), (x_s, x_t)))
    mean = jnp.mean if estimator == "biased" else _off_diagonal_mean
    return mean(k_ss) + mean(k_tt) - 2 * k_st.mean()


def coral(x_s: Array, x_t: Array) -> Array:
    """Distance of the covariances, as published.

    L = ||C_s - C_t||_F^2 / (4 d^2),   C = (1/(n-1)) sum_i (x_i - x_bar)(x_i - x_bar)^T

    Args: x_s [n, d], x_t [m, d]. Returns a scalar >= 0.
    Raises: ValueError on unequal d or fewer than 2 rows. Sun & Saenko 2016, arXiv 1607.01719.
    """
    _check(x_s, x_t, least=2)
    return jnp.square(_covariance(x_s) - _covariance(x_t)).mean() / 4


def coral_mean(x_s: Array, x_t: Array) -> Array:
    """Distance of the covariances and of the means: the form that several libraries call CORAL.

    L = (1/d^2) ||C_s - C_t||_F^2 + (1/d) ||mu_s - mu_t||^2: the first term is 4 times `coral`

    Args: x_s [n, d], x_t [m, d]. Returns a scalar >= 0.
    Raises: ValueError on unequal d or fewer than 2 rows. After Sun & Saenko 2016, arXiv 1607.01719.
    """
    return 4 * coral(x_s, x_t) + jnp.square(x_s.mean(0) - x_t.mean(0)).mean()


def _covariance(x: Array) -> Array:
    centred = x - x.mean(0, keepdims=True)
    return jnp.matmul(centred.T, centred, precision="highest") / (x.shape[0] - 1)


def _off_diagonal_mean(k: Array) -> Array:
    n = k.shape[0]
    return jnp.where(jnp.eye(n, dtype=bool), 0.0, k).sum() / (n * (n - 1))


def _linear(x_s: Array, x_t: Array, kernel: Callable[[Array], Array], *, cyclic: bool) -> Array:
    n = x_s.shape[0]
    if n != x_t.shape[0]:
        raise ValueError(f"the estimators in linear time pair rows: n = {n} and m = {x_t.shape[0]} differ")
    if cyclic:
        (s, s_), (t, t_) = ((x, jnp.roll(x, -1, 0)) for x in (x_s, x_t))
    else:
        even = n // 2 * 2  # an odd last row has no partner
        (s, s_), (t, t_) = ((x[0:even:2], x[1:even:2]) for x in (x_s, x_t))

    def k(a: Array, b: Array) -> Array:
        return kernel(jnp.square(a - b).sum(1)).mean()

    return k(s, s_) + k(t, t_) - k(s, t_) - k(s_, t)


def _check(x: Array, y: Array, least: int) -> None:
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or min(x.shape[0], y.shape[0]) < least:
        raise ValueError(f"need [n, d] and [m, d] with n, m >= {least}: got {x.shape} and {y.shape}")
