"""Matrices taken apart by LAPACK: on a CPU one after the other, also where they are of many trials.

jaxlib before 0.11.2 shares a batch of matrices out to the threads of its pool and waits for them in one of these: as
many batches at once as there are threads (those of two domains, on two cores) wait for ever. One matrix at a time is
waited for by nobody. `svd`, `singular_values` and `inverse` may be differentiated, any number of times; the others
not, which JAX says.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any

import jax
import jax.numpy as jnp
import jaxlib.version
from jax.custom_batching import sequential_vmap

from tl_jax.core.types import Array

WAITS = jaxlib.version.__version_info__ < (0, 11, 2)
TIE = 1e-3
"""A gap between two squared singular values, as a share of their sum, of which half the derivative is left."""


def _apart(of: Callable[..., Any]) -> Callable[..., Any]:
    """The function with the matrices of a batch one after the other where a batch of them might wait for ever."""
    one_by_one = sequential_vmap(of)

    @wraps(of)
    def call(*arrays: Array) -> Any:
        return (one_by_one if WAITS and jax.default_backend() == "cpu" else of)(*arrays)

    return call


@_apart
def eigh(x: Array) -> tuple[Array, Array]:
    """Eigenvalues [n], rising, and vectors [n, n] of a symmetric x [n, n]."""
    values, vectors = jnp.linalg.eigh(x)
    return values, vectors


@_apart
def cholesky(x: Array) -> Array:
    """The lower triangular l [n, n] with x = l l^T, NaN where x is not positive definite."""
    return jnp.linalg.cholesky(x)


@_apart
def solve(x: Array, right: Array) -> Array:
    """x^-1 right, of x [n, n] and right [n] or [n, m]."""
    return jnp.linalg.solve(x, right)


@_apart
def solve_lower(x: Array, right: Array) -> Array:
    """`solve` of a lower triangular x."""
    return jax.scipy.linalg.solve_triangular(x, right, lower=True)


@_apart
def solve_positive(x: Array, right: Array) -> Array:
    """`solve` of a symmetric positive definite x."""
    return jax.scipy.linalg.solve(x, right, assume_a="pos")


@_apart
def _svd(x: Array) -> tuple[Array, Array, Array]:
    u, s, vt = jnp.linalg.svd(x, full_matrices=False)
    return u, s, vt.T


@_apart
def _singular_values(x: Array) -> Array:
    return jnp.linalg.svd(x, compute_uv=False)


@jax.custom_jvp
def svd(x: Array) -> tuple[Array, Array, Array]:
    """x [n, m] = u diag(s) v^T, u [n, k], v [m, k], k = min(n, m), with a derivative that is finite everywhere.

    1 / (s_j^2 - s_i^2) in it is gap / (gap^2 + TIE^2 (s_i^2 + s_j^2)^2).
    """
    return _svd(x)


@svd.defjvp
def _svd_derivative(primals: tuple[Array], tangents: tuple[Array]):
    u, s, v = svd(*primals)
    dx = tangents[0]
    square = jnp.square(s)
    gap, both = square[None, :] - square[:, None], square[None, :] + square[:, None]
    below = jnp.square(gap) + jnp.square(TIE * both)
    f = gap / jnp.where(below > 0, below, 1.0)
    inside = u.T @ dx @ v
    turned = lambda y: f * (y * s[None] + s[:, None] * y.T)
    # What lies outside of the k vectors of the longer side; where s is rounding there is no such direction.
    kept = s > max(primals[0].shape) * jnp.finfo(s.dtype).eps * s[0]
    inverse = jnp.where(kept, 1 / jnp.where(kept, s, 1.0), 0.0)[None]
    outside = lambda basis, y: (y - basis @ (basis.T @ y)) * inverse
    du = u @ turned(inside) + outside(u, dx @ v)
    dv = v @ turned(inside.T) + outside(v, dx.T @ u)
    return (u, s, v), (du, jnp.diagonal(inside), dv)


@jax.custom_jvp
def singular_values(x: Array) -> Array:
    """s [k], falling, of x [n, m], k = min(n, m): d s_i = u_i . dx v_i."""
    return _singular_values(x)


@singular_values.defjvp
def _values_derivative(primals: tuple[Array], tangents: tuple[Array]):
    u, s, v = svd(*primals)
    return s, ((tangents[0] @ v) * u).sum(0)


@jax.custom_jvp
def inverse(x: Array) -> Array:
    """x^-1 [n, n] of a symmetric positive definite x [n, n]: d x^-1 = -x^-1 dx x^-1."""
    return solve_positive(x, jnp.eye(len(x), dtype=x.dtype))


@inverse.defjvp
def _inverse_derivative(primals: tuple[Array], tangents: tuple[Array]):
    found = inverse(*primals)
    return found, -found @ tangents[0] @ found
