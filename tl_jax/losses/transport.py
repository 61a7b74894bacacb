"""Optimal transport between two samples of even weights, by Sinkhorn's iteration in logarithms."""

import math

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array

ITERATIONS = 100


def plan(
    cost: Array, regular: float | Array, marginal: float | Array | None = None, iterations: int = ITERATIONS
) -> Array:
    """The transport plan G [n, m] of a cost C [n, m], with a = 1/n and b = 1/m as marginals.

    balanced (marginal None): argmin <G, C> + regular * sum G (log G - 1), G 1 = a, G^T 1 = b
    unbalanced: argmin <G, C> + regular * sum G (log G - 1) + marginal * (KL(G 1, a) + KL(G^T 1, b))

    G = exp((u_i + v_j - C_ij) / regular), u and v in turn: u = r * regular * (log a - log sum_j exp((v_j - C_ij) /
    regular)) with r = marginal / (marginal + regular), 1 where it is balanced.

    Args: regular > 0, marginal > 0; scalars that may be traced. The last half-step fits the columns: their sums are
    exact in the balanced case, those of the rows as near as `iterations` brings them. Gradients flow through all
    iterations: detach the cost where the plan is to be a constant.
    Cuturi 2013, arXiv 1306.0895; Chizat et al. 2018, arXiv 1607.05816.
    """
    n, m = cost.shape
    scaled = cost / regular
    share = 1.0 if marginal is None else marginal / (marginal + regular)

    def turn(both: tuple[Array, Array], _: None) -> tuple[tuple[Array, Array], None]:
        v = both[1]
        u = share * (-math.log(n) - jax.nn.logsumexp(v[None, :] - scaled, axis=1))
        v = share * (-math.log(m) - jax.nn.logsumexp(u[:, None] - scaled, axis=0))
        return (u, v), None

    begin = (jnp.zeros(n, cost.dtype), jnp.zeros(m, cost.dtype))
    (u, v), _ = jax.lax.scan(turn, begin, None, iterations)
    return jnp.exp(u[:, None] + v[None, :] - scaled)


def cross_costs(y: Array, logits: Array) -> Array:
    """Cross-entropy of every label with every prediction: -log p_j[y_i], [n, m], of y [n] and logits [m, c]."""
    return -jax.nn.log_softmax(logits)[:, y].T
