"""Laplacian adjusted maximum-likelihood estimation: predictions of a batch agree with their neighbours'."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, Model, Network, Output
from tl_jax.methods.contract import NOTHING_LEARNT, Method


def lame(neighbours: int = 5, iterations: int = 100) -> Method:
    """L = 0; in each batch the predictions z minimise sum_i KL(z_i || q_i) - sum_ij w_ij z_i . z_j.

    q: what the source model says; w_ij = 1 where j is one of the nearest of i by features on the unit sphere, else 0.
    Solved by z <- softmax(log q + w z) from z = q, `iterations` times (theirs: at most 100, or until it changes no
    more). Only what is said is adapted: no parameter moves, nothing is remembered, and a batch of one is left as it
    is. neighbours = 5. Boudiaf et al. 2022, arXiv 2201.05718.
    """

    def predict(network: Network, model: Model, x: Array, domain: str) -> Output:
        out = network.apply(model.params, model.stats, x)[0]
        return out._replace(logits=adjusted(out, neighbours, iterations))

    return NOTHING_LEARNT._replace(views={}, labels="none", predict=predict)


def adjusted(out: Output, neighbours: int, iterations: int) -> Array:
    """log z [n, c] of features [n, d] and logits [n, c]."""
    n, log_q = len(out.logits), jax.nn.log_softmax(out.logits)
    f = out.features / jnp.maximum(jnp.linalg.norm(out.features, axis=1, keepdims=True), 1e-12)
    near = jnp.where(jnp.eye(n, dtype=bool), -jnp.inf, f @ f.T)
    k = min(neighbours, n - 1)
    w = jax.nn.one_hot(jax.lax.top_k(near, k)[1], n).sum(1) if k else jnp.zeros((n, n))
    step = lambda _, log_z: jax.nn.log_softmax(log_q + w @ jnp.exp(log_z))
    return jax.lax.fori_loop(0, iterations, step, log_q)
