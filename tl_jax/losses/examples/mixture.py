"""A mixture of Gaussians with a component for each class."""

import jax
import jax.numpy as jnp

from tl_jax.core.matrices import cholesky, solve_lower
from tl_jax.core.types import Array

LEAST = 1e-6
"""What is added to every variance; a hundred times as much where that is too little to factorise."""


def responsibilities(x: Array, weights: Array, spread: Array | None = None) -> Array:
    """log r [m, c] of a mixture whose moments are weighted ones: which class an example x [m, d] is of.

    r_ik = pi_k N(x_i; mu_k, S_k) / sum_l ...,  pi = sum_i w_i,  mu_k = sum_i w_ik x_i / pi_k,
    S_k = sum_i v_ik (x_i - mu_k)(x_i - mu_k)^T / sum_i v_ik + 1e-6 I

    Args: weights w [m, c] >= 0; spread v [m, c] of the covariances, by default w. Needs no more examples than one. A
    class of no weight has r = 0. Lee et al. 2022, arXiv 2206.06640.
    """
    v, eye = weights if spread is None else spread, jnp.eye(x.shape[1], dtype=x.dtype)

    def factor(cov: Array) -> Array:
        first = cholesky(cov + LEAST * eye)
        return jnp.where(jnp.isfinite(first).all(), first, cholesky(cov + 101 * LEAST * eye))

    def one(of_class: tuple[Array, Array]) -> Array:
        w, v = of_class
        away = x - (w @ x / jnp.maximum(w.sum(), 1e-12))[None]
        chol = factor((v[:, None] * away).T @ away / jnp.maximum(v.sum(), 1e-12))
        scaled = solve_lower(chol, away.T)
        log_det = 2 * jnp.log(jnp.diag(chol)).sum()
        return -(jnp.square(scaled).sum(0) + log_det) / 2 + jnp.log(jnp.maximum(w.sum(), 1e-30))

    # One class after the other: all covariances together would be c d^2 numbers, and as many again to factorise.
    return jax.nn.log_softmax(jax.lax.map(one, (weights.T, v.T)).T, axis=1)
