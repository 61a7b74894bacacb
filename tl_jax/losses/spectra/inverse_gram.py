"""The inverse Gram matrix of features, cut to its leading directions: what least squares sees of a domain."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from tl_jax.core.matrices import eigh
from tl_jax.core.types import Array

NEGLIGIBLE = 1e-10
"""A squared length, as a share of the largest, below which a column is rounding."""


class Alignment(NamedTuple):
    """How far two domains' least squares are apart: scalars, 0 where they agree."""

    angle: Array
    scale: Array
    rank: Array


@jax.custom_jvp
def leading_inverse(values: Array, vectors: Array, gram: Array, kept: Array) -> Array:
    """sum over i with kept_i of q_i q_i^T / l_i, of a symmetric gram [d, d] = Q diag(l) Q^T.

    The derivative is that of the whole function of `gram` (values, vectors and kept are of it, and not differentiated):
    dX = Q (F * (Q^T dG Q)) Q^T, F_ij = (f_i - f_j) / (l_i - l_j), f = kept / l. Among directions that are left out it
    is zero, so that zero eigenvalues, of which a batch smaller than d has many, do no harm.
    """
    return (vectors * _inverted(values, kept)[None, :]) @ vectors.T


@leading_inverse.defjvp
def _derivative(primals: tuple, tangents: tuple):
    values, vectors, gram, kept = primals
    inverse = _inverted(values, kept)
    both, one = kept[:, None] & kept[None, :], kept[:, None] ^ kept[None, :]
    gap = values[:, None] - values[None, :]
    cross = jnp.where(one, (inverse[:, None] - inverse[None, :]) / jnp.where(one & (gap != 0), gap, 1.0), 0.0)
    slopes = jnp.where(both, -inverse[:, None] * inverse[None, :], cross)
    change = vectors @ (slopes * (vectors.T @ tangents[2] @ vectors)) @ vectors.T
    return leading_inverse(values, vectors, gram, kept), change


def _inverted(values: Array, kept: Array) -> Array:
    """1 / l where kept, else 0."""
    return jnp.where(kept, 1 / jnp.where(kept, values, 1.0), 0.0)


def inverse_gram_alignment(f_s: Array, f_t: Array, threshold: float | Array) -> Alignment:
    """Angles between the columns of the inverse Gram matrices, and the gap between their leading eigenvalues.

    G = A^T A, A = [1, f];  k = max over domains of the last i with (l_0 + ... + l_i) / sum l <= T,
    T = threshold, or the share of two where that is more;  G^+ of the k leading directions.
    angle = (1/d) sum_j |1 - cos(G_s^+[:, j], G_t^+[:, j])|;  scale = ||l_s[:k] - l_t[:k]|| / k

    Directions whose eigenvalue is rounding (l_i <= d eps l_0) are in no inverse and in no k, so that features that are
    dead, constant or of any scale give finite values and gradients.

    Args: f_s [n, d - 1], f_t [m, d - 1]; threshold in (0, 1). Nejjar et al. 2023, arXiv 2303.13325.
    """
    grams = [_gram(f) for f in (f_s, f_t)]
    spectra = [_spectrum(jax.lax.stop_gradient(gram)) for gram in grams]
    k = jnp.maximum(*(_rank(values, threshold) for values, _ in spectra))
    leading = jnp.arange(len(grams[0])) < k
    s, t = (_inverse(*of, gram, leading) for of, gram in zip(spectra, grams, strict=True))
    # l_i = q_i^T G q_i with q_i held: the derivative of an eigenvalue, without that of its vector.
    l_s, l_t = ((q * (gram @ q)).sum(0) for (_, q), gram in zip(spectra, grams, strict=True))
    return Alignment(jnp.abs(1 - _cosines(s, t)).mean(), _norm(jnp.where(leading, l_s - l_t, 0.0)) / k, k)


def _gram(f: Array) -> Array:
    a = jnp.concatenate([jnp.ones((len(f), 1), f.dtype), f], 1)
    return jnp.matmul(a.T, a, precision="highest")


def _spectrum(gram: Array) -> tuple[Array, Array]:
    """Eigenvalues, the largest first and 0 where they are rounding, and their vectors."""
    values, vectors = eigh(gram)
    values, vectors = values[::-1], vectors[:, ::-1]
    rounding = len(values) * jnp.finfo(values.dtype).eps * values[0]
    return jnp.where(values > rounding, values, 0.0), vectors


def _rank(values: Array, threshold: float | Array) -> Array:
    # What is left after i, not the share until i: near 1 a share has no digits to tell small eigenvalues apart.
    rest = jnp.append(jnp.cumsum(values[:0:-1])[::-1], 0.0)
    within = rest >= jnp.minimum((1 - threshold) * values.sum(), rest[1])
    last = jnp.max(jnp.where(within, jnp.arange(len(values)), 0))
    return jnp.minimum(last, (values > 0).sum())


def _inverse(values: Array, vectors: Array, gram: Array, leading: Array) -> Array:
    """`leading_inverse` of gram / l_0, whose columns have the same angles and no scale."""
    largest = values[0]
    return leading_inverse(values / largest, vectors, gram / largest, leading & (values > 0))


def _cosines(a: Array, b: Array) -> Array:
    """Between columns: 1 where both are zero (a feature that is dead in both domains), 0 where one is."""
    a, b = (x / jax.lax.stop_gradient(jnp.abs(x).max()) for x in (a, b))
    of_a, of_b = (jnp.square(x).sum(0) for x in (a, b))
    # What rounding leaves of a zero column has a direction, too.
    has_a, has_b = (sizes > NEGLIGIBLE * sizes.max() for sizes in (of_a, of_b))
    both = has_a & has_b
    norms = jnp.sqrt(jnp.where(both, of_a, 1.0)) * jnp.sqrt(jnp.where(both, of_b, 1.0))
    return jnp.where(both, (a * b).sum(0) / norms, has_a == has_b)


def _norm(x: Array) -> Array:
    """|x| of a vector of any scale, with the gradient 0 at 0."""
    largest = jax.lax.stop_gradient(jnp.abs(x).max())
    unit = jnp.where(largest > 0, largest, 1.0)
    squared = jnp.square(x / unit).sum()
    return unit * jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1.0)), 0.0)
