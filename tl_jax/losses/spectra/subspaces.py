"""How far the subspaces are apart that two batches of features span, and the bases that singular vectors give them."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from tl_jax.core.errors import UserError
from tl_jax.core.matrices import svd
from tl_jax.core.types import Array


class Distance(NamedTuple):
    """sines: of all principal angles, summed; bases: how differently these weigh the two domains' bases."""

    sines: Array
    bases: Array


class _Angles(NamedTuple):
    """Pairs of unit vectors a_i, b_i [d, k] in the span of one domain and the other, a_i . b_i = cos_i, and how they
    are made of the domains' bases, p and q [n, k], [m, k]; those that are not `counted` [k] are there for want."""

    a: Array
    b: Array
    p: Array
    q: Array
    cos: Array
    counted: Array


def subspace_distance(f_s: Array, f_t: Array) -> Distance:
    """The distance of the spans of the rows of two batches, in the space of features.

    F^T = U S V^T for each domain;  U_s^T U_t = P diag(cos theta) Q^T
    sines = sum_i sin theta_i;  bases = || |P| - |Q| ||_F

    sines has its exact derivative, which needs no singular vector by itself; that of bases does, and is smaller than
    exact where two squared singular values differ by less than a hundredth of their sum, or are equal. Directions whose
    singular value is rounding are in no span (in the published code they are, wherever they lie). Of batches of
    different sizes the shorter of P and Q goes on with zeros.

    Args: f_s [n, d], f_t [m, d], n and m < d. Raises UserError for larger batches, which span everything.
    Chen et al. 2021 (ICML), "Representation Subspace Distance for Domain Adaptation Regression".
    """
    n, m, d = len(f_s), len(f_t), f_s.shape[1]
    if max(n, m) >= d:
        raise UserError(
            f"Batches of {n} and {m} examples span all {d} features or more, so that their subspaces have no distance. "
            f"Use a batch under {d}, or a network with more features (its bottleneck)."
        )
    found = _angles(_basis(f_s), _basis(f_t))
    longer = max(n, m)
    weighing = [jnp.pad(jnp.abs(x) * found.counted[None], ((0, longer - len(x)), (0, 0))) for x in (found.p, found.q)]
    return Distance(sum_of_sines(f_s, f_t), _norm(weighing[0] - weighing[1]))


@jax.custom_jvp
def sum_of_sines(f_s: Array, f_t: Array) -> Array:
    """sum_i sin theta_i, half the nuclear norm of the difference of the two projections where n = m.

    d sin theta_i = -cos theta_i (u_i . dF_s^T V_s S_s^-1 p_i + w_i . dF_t^T V_t S_t^-1 q_i), u_i and w_i the unit
    vectors of b_i - cos theta_i a_i and a_i - cos theta_i b_i: no gap between singular values divides anything. It is
    taken as zero where theta_i is.
    """
    return _sines(_angles(_basis(f_s), _basis(f_t)))[0].sum()


@sum_of_sines.defjvp
def _derivative(primals: tuple[Array, Array], tangents: tuple[Array, Array]):
    bases = [_basis(f) for f in primals]
    found = _angles(*bases)
    sines, outwards = _sines(found)
    slope = lambda basis, out, weights: -((basis.v / basis.s[None]) @ (weights * found.cos[None])) @ out.T
    slopes = [slope(*of) for of in zip(bases, outwards, (found.p, found.q), strict=True)]
    change = [(g * df).sum() for g, df in zip(slopes, tangents, strict=True)]
    return sines.sum(), change[0] + change[1]


class _Basis(NamedTuple):
    """F^T = u diag(s) v^T, u [d, n] zero where s is rounding (and 1 in the place of that), kept [n]."""

    u: Array
    s: Array
    v: Array
    kept: Array


def _basis(f: Array) -> _Basis:
    u, s, v = svd(f.T)
    kept = s > max(f.shape) * jnp.finfo(s.dtype).eps * s[0]
    return _Basis(u * kept[None], jnp.where(kept, s, 1.0), v, kept)


def _angles(one: _Basis, other: _Basis) -> _Angles:
    p, cos, q = svd(_product(one.u.T, other.u))
    counted = jnp.arange(len(cos)) < jnp.minimum(one.kept.sum(), other.kept.sum())
    return _Angles(_product(one.u, p), _product(other.u, q), p, q, cos, counted)


def _sines(angles: _Angles) -> tuple[Array, tuple[Array, Array]]:
    """Each sine [k], and unit vectors [d, k] from each span towards the other; zero where there is no angle.

    By the length of what is left of one vector after the other: of small angles 1 - cos^2 has no digits.
    """
    left = angles.b - angles.a * angles.cos[None], angles.a - angles.b * angles.cos[None]
    sines = jnp.linalg.norm(left[0], axis=0)
    some = angles.counted & (sines > len(angles.a) * jnp.finfo(sines.dtype).eps)
    unit = jnp.where(some, 1 / jnp.where(some, sines, 1.0), 0.0)[None]
    return jnp.where(some, sines, 0.0), (left[0] * unit, left[1] * unit)


def _product(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b, precision="highest")


def _norm(x: Array) -> Array:
    """|x|, with the gradient 0 at 0."""
    squared = jnp.square(x).sum()
    return jnp.where(squared > 0, jnp.sqrt(jnp.where(squared > 0, squared, 1.0)), 0.0)
