"""Losses of self-supervised learning: functions of two views of the same examples, row i with row i."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array


def unit(x: Array) -> Array:
    """Rows of x [n, d] of length 1; a row of zeros stays zero, with a finite gradient."""
    return x * jax.lax.rsqrt(jnp.maximum(jnp.square(x).sum(-1, keepdims=True), 1e-12))


def nt_xent(z_a: Array, z_b: Array, temperature: float | Array = 0.5) -> Array:
    """Normalised temperature-scaled cross-entropy.

    z = unit((z_a, z_b)), 2n rows;  L = (1/2n) sum_i -log(exp(z_i z_p(i) / T) / sum_{k != i} exp(z_i z_k / T))

    Args: z_a, z_b [n, d]; temperature T > 0, may be traced. Returns a scalar, nats.
    Raises: ValueError on unequal shapes. Chen et al. 2020 (SimCLR), arXiv 2002.05709.
    """
    _pairs(z_a, z_b)
    z = unit(jnp.concatenate([z_a, z_b]))
    n = len(z_a)
    similar = jnp.matmul(z, z.T, precision="highest") / temperature
    others = jnp.where(jnp.eye(2 * n, dtype=bool), -jnp.inf, similar)
    partner = jnp.concatenate([jnp.diagonal(similar, n), jnp.diagonal(similar, -n)])
    return (jax.nn.logsumexp(others, axis=1) - partner).mean()


def info_nce(q: Array, k: Array, temperature: float | Array = 0.2) -> Array:
    """Cross-entropy of every query's own key among all keys of the batch.

    L = (1/n) sum_i -log(exp(q_i k_i / T) / sum_j exp(q_i k_j / T)), rows of length 1, k detached

    Args: q, k [n, d]; temperature T > 0, may be traced. Returns a scalar, nats.
    Raises: ValueError on unequal shapes. Chen et al. 2021 (MoCo v3), arXiv 2104.02057.
    """
    _pairs(q, k)
    similar = jnp.matmul(unit(q), unit(jax.lax.stop_gradient(k)).T, precision="highest") / temperature
    return (jax.nn.logsumexp(similar, axis=1) - jnp.diagonal(similar)).mean()


def negative_cosine(p: Array, z: Array) -> Array:
    """Minus the mean cosine of a prediction and its target, which carries no gradient.

    L = -(1/n) sum_i unit(p_i) . unit(z_i), z detached

    Args: p, z [n, d]. Returns a scalar in [-1, 1]; 2 + 2 L is the loss of BYOL.
    Chen & He 2021 (SimSiam), arXiv 2011.10566; Grill et al. 2020 (BYOL), arXiv 2006.07733.
    """
    _pairs(p, z)
    return -(unit(p) * unit(jax.lax.stop_gradient(z))).sum(1).mean()


def barlow(z_a: Array, z_b: Array, lam: float | Array = 5e-3) -> Array:
    """Redundancy reduction: the views' cross-correlation is to be the identity.

    C = (1/n) sum_i a_i b_i^T with a, b the columns of z_a, z_b standardised (biased variance + 1e-5)
    L = sum_j (1 - C_jj)^2 + lam sum_{j != k} C_jk^2

    Args: z_a, z_b [n, d]; lam may be traced. Returns a scalar >= 0. Zbontar et al. 2021, arXiv 2103.03230.
    """
    _pairs(z_a, z_b)
    a, b = ((z - z.mean(0, keepdims=True)) / jnp.sqrt(z.var(0, keepdims=True) + 1e-5) for z in (z_a, z_b))
    correlation = jnp.matmul(a.T, b, precision="highest") / len(a)
    own = jnp.diagonal(correlation)
    return jnp.square(1 - own).sum() + lam * (jnp.square(correlation).sum() - jnp.square(own).sum())


def vicreg(z_a: Array, z_b: Array) -> tuple[Array, Array, Array]:
    """Invariance, variance and covariance of two views.

    invariance = mean (z_a - z_b)^2;  variance = 1/2 sum over views of mean_j max(0, 1 - sqrt(var_j + 1e-4))
    covariance = sum over views of (1/d) sum_{j != k} C_jk^2, both with the unbiased covariance C

    The published code's form: the paper sums the invariance over dimensions (d times as much) and has no half in the
    variance (twice as much). Args: z_a, z_b [n, d], n > 1. Returns three scalars >= 0; both weigh them 25, 25, 1.
    Bardes et al. 2022, arXiv 2105.04906.
    """
    _pairs(z_a, z_b)
    spread = redundant = jnp.zeros((), z_a.dtype)
    for z in (z_a, z_b):
        centred = z - z.mean(0, keepdims=True)
        covariance = jnp.matmul(centred.T, centred, precision="highest") / (len(z) - 1)
        own = jnp.diagonal(covariance)
        spread += jax.nn.relu(1 - jnp.sqrt(own + 1e-4)).mean() / 2
        redundant += (jnp.square(covariance).sum() - jnp.square(own).sum()) / z.shape[1]
    return jnp.square(z_a - z_b).mean(), spread, redundant


def dino(student: Array, teacher: Array, temperatures: tuple, centre: Array) -> Array:
    """Cross-entropy of the student on the teacher's centred and sharpened assignment.

    L = -(1/n) sum_i softmax((t_i - centre) / T_t) . log softmax(s_i / T_s), the teacher detached

    Args: student, teacher [n, k]; temperatures (T_s, T_t); centre [k]. Returns a scalar, nats.
    Caron et al. 2021, arXiv 2104.14294.
    """
    _pairs(student, teacher)
    target = jax.nn.softmax(jax.lax.stop_gradient(teacher - centre[None, :]) / temperatures[1])
    return -(target * jax.nn.log_softmax(student / temperatures[0])).sum(1).mean()


def _pairs(a: Array, b: Array) -> None:
    if a.ndim != 2 or a.shape != b.shape:
        raise ValueError(f"two views must be [n, d] alike, row i with row i: got {a.shape} and {b.shape}")
