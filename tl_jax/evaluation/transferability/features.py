"""Transferability scores of features [n, d] and labels [n]: LogME, H-score, GBC and TransRate. HIGHER IS BETTER.

All are invariant to the scale of the features and defined for n < d, for any class sizes and for separable data.
Each is written in the coordinates of the singular vectors, min(n, d) of them.
"""

from functools import partial

import jax
import jax.numpy as jnp

from tl_jax.core.matrices import cholesky, svd
from tl_jax.core.types import Array

_LEAST = 1e-10
"""Residual variance of LogME's regression, as a share of the target's: where data are fitted exactly."""


@partial(jax.jit, static_argnames=("classes", "steps"))
def logme(features: Array, y: Array, classes: int, *, steps: int = 30) -> Array:
    """Log marginal evidence of a Bayesian linear model of each class indicator, per example, averaged over classes.

    (1/n) log p(y) = (1/2n) (n log b + k log a - sum_{j <= k} log(a + b s_j^2) - b r - a m'm - n log 2 pi)
    a <- g / m'm,  b <- (n - g) / r,  g = sum_j b s_j^2 / (a + b s_j^2);   k = min(n, d), r = ||y - F m||^2

    k log a, and not d log a: the d - k directions without data have log(a + 0), which cancels. Features are divided
    by the root mean square of their singular values s, which changes no evidence and makes the start the same.

    Args: features [n, d], not centred; y [n] int in [0, classes); steps of the fixed point (the paper's code: 11).
    Returns a scalar, nats. Where the fit is exact, r is floored at 1e-10 ||y||^2. Classes without examples are left
    out of the mean. You et al. 2021, arXiv 2102.11005.
    """
    u, s, _ = svd(features)
    s = s / _positive(jnp.sqrt((s * s).mean()))
    targets = jax.nn.one_hot(y, classes, dtype=features.dtype)
    evidence = jax.vmap(lambda target: _evidence(u, s, target, steps), in_axes=1)(targets)
    present = targets.sum(0) > 0
    return jnp.where(present, evidence, 0.0).sum() / present.sum()


def _evidence(u: Array, s: Array, target: Array, steps: int) -> Array:
    n, squares = len(target), s * s
    along = jnp.matmul(u.T, target, precision="highest")
    outside = jnp.square(target - jnp.matmul(u, along, precision="highest")).sum()
    least = _LEAST * jnp.square(target).sum() + jnp.finfo(u.dtype).tiny

    def moments(a: Array, b: Array) -> tuple[Array, Array, Array]:
        share = b * squares / (a + b * squares)
        residual = jnp.maximum(outside + jnp.square((1 - share) * along).sum(), least)
        length = jnp.where(s > 0, jnp.square(share * along / _positive(s)), 0.0).sum()
        return share.sum(), residual, jnp.maximum(length, least)

    def step(_, now: tuple[Array, Array]) -> tuple[Array, Array]:
        g, residual, length = moments(*now)
        # Features that say nothing (g = 0) must not send a to zero, nor a perfect fit (g = n) b.
        return jnp.maximum(g, _LEAST) / length, jnp.maximum(n - g, _LEAST * n) / residual

    one = jnp.ones((), u.dtype)
    a, b = jax.lax.fori_loop(0, steps, step, (one, one))
    _, residual, length = moments(a, b)
    terms = n * jnp.log(b) + len(s) * jnp.log(a) - jnp.log(a + b * squares).sum()
    return (terms - b * residual - a * length - n * jnp.log(2 * jnp.pi)) / (2 * n)


@partial(jax.jit, static_argnames="classes")
def h_score(features: Array, y: Array, classes: int) -> Array:
    """Between-class variance in the metric of the shrunk covariance.

    tr( S^-1 (1 - h) B ),   S = (1 - h) C + h tr(C)/d I,   C = cov(f),  B = cov(E[f | y])

    with the shrinkage h of Ledoit & Wolf 2004. Without it C is singular for n < d and its pseudo-inverse is noise.

    Args: features [n, d], y [n] int in [0, classes). Returns a scalar in [0, min(classes - 1, d)).
    Bao et al. 2019 (ICIP); Ibrahim et al. 2021, arXiv 2110.06893 (regularised).
    """
    n, d = features.shape
    x = features - features.mean(0, keepdims=True)
    u, s, _ = svd(x)
    variance = s * s / n
    average = variance.sum() / d
    squares = jnp.square(variance).sum()
    spread = (jnp.square(jnp.square(x).sum(1)).mean() - squares) / (n * d)
    distance = squares / d - average**2
    h = jnp.where(distance > 0, jnp.clip(spread / _positive(distance), 0.0, 1.0), 1.0)
    means, share = _class_means(u * s[None, :], y, classes)
    between = (share[:, None] * jnp.square(means)).sum(0)
    return ((1 - h) * between / _positive((1 - h) * variance + h * average)).sum()


@partial(jax.jit, static_argnames=("classes", "variances", "dims"))
def gbc(features: Array, y: Array, classes: int, *, variances: str = "diagonal", dims: int = 64) -> Array:
    """Minus the overlap of the classes as Gaussians.

    - sum_{i != j} exp(-D_ij),   over ordered pairs, D the Bhattacharyya distance
    diagonal:  D = sum_k (m_ik - m_jk)^2 / (8 v_k) + log(v_k^2 / (v_ik v_jk)) / 4,   v = (v_i + v_j) / 2
    spherical: D = ||m_i - m_j||^2 / (8 v) + (p / 4) log(v^2 / (v_i v_j)),           v_i = mean_k v_ik

    with all p dimensions in the logarithm of the spherical form too.

    Args: features [n, d], y [n] int in [0, classes); dims: principal components kept (p = min(dims, n, d)), since
    in many dimensions, or with few examples a class, every overlap vanishes whatever the labels. Variances are
    floored at 1e-4 of their mean over components.
    Returns a scalar in [-classes (classes - 1), 0]. Pandy et al. 2022, arXiv 2111.12780.
    """
    u, s, _ = svd(features - features.mean(0, keepdims=True))
    z = (u * s[None, :])[:, :dims]
    means, share = _class_means(z, y, classes)
    second = _class_means(jnp.square(z - means[y]), y, classes)[0]
    variance = second if variances == "diagonal" else jnp.broadcast_to(second.mean(1, keepdims=True), second.shape)
    variance = jnp.maximum(variance, 1e-4 * _positive(jnp.square(z).mean()))

    def overlaps(mean: Array, own: Array) -> Array:
        v = (variance + own[None, :]) / 2
        apart = jnp.square(means - mean[None, :]) / (8 * v)
        wider = jnp.log(v) / 2 - (jnp.log(variance) + jnp.log(own)[None, :]) / 4
        return jnp.exp(-(apart + wider).sum(1))

    present = share > 0
    pairs = present[:, None] & present[None, :] & ~jnp.eye(classes, dtype=bool)
    # One class after the other: classes x classes x dims would not fit for a thousand classes.
    each = jax.lax.map(lambda one: overlaps(*one), (means, variance))
    return -jnp.where(pairs, each, 0.0).sum()


@partial(jax.jit, static_argnames="classes")
def transrate(features: Array, y: Array, classes: int, *, distortion: float = 1e-4) -> Array:
    """Coding rate of the features minus that of each class, weighted by the classes' shares.

    R(Z) - sum_c (n_c / n) R(Z_c),   R(Z) = (1/2) log det(I + Z'Z / (n e)),   Z centred, then tr(Z'Z) / n = 1

    The trace normalisation makes it invariant to scale (the published code is not), and the shares n_c / n to be
    the paper's (the published code divides by the number of classes, right for balanced ones only).

    Args: features [n, d], y [n] int in [0, classes); distortion e, relative to the total variance.
    Returns a scalar, nats, >= 0. Huang et al. 2022, arXiv 2106.09457.
    """
    n = len(features)
    u, s, _ = svd(features - features.mean(0, keepdims=True))
    z = u * (s / _positive(jnp.sqrt(jnp.square(s).sum() / n)))[None, :]
    identity = jnp.eye(len(s), dtype=z.dtype)

    def rate(c: Array) -> Array:
        member = (y == c).astype(z.dtype)
        size = member.sum()
        scatter = jnp.matmul((z * member[:, None]).T, z, precision="highest") / jnp.maximum(size, 1)
        factor = cholesky(identity + scatter / distortion)
        return size / n * jnp.log(jnp.diagonal(factor)).sum()

    whole = jnp.log1p(jnp.square(z).mean(0) / distortion).sum() / 2
    return whole - jax.lax.map(rate, jnp.arange(classes)).sum()


def _class_means(x: Array, y: Array, classes: int) -> tuple[Array, Array]:
    """Means [classes, d] (0 where a class has no examples) and shares [classes]."""
    member = jax.nn.one_hot(y, classes, dtype=x.dtype)
    size = member.sum(0)
    return jnp.matmul(member.T, x, precision="highest") / jnp.maximum(size, 1)[:, None], size / len(y)


def _positive(x: Array) -> Array:
    return jnp.where(x > 0, x, 1.0)
