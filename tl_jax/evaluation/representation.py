"""What a representation looks like without labels: its effective rank, alignment and uniformity.

RankMe compares runs of ONE method: across methods it does not order accuracies.
"""

from functools import partial

import jax
import jax.numpy as jnp

from tl_jax.core.batching import in_batches
from tl_jax.core.errors import UserError
from tl_jax.core.matrices import singular_values
from tl_jax.core.types import Array
from tl_jax.evaluation.neighbours import unit
from tl_jax.losses.discrepancy import squared_distances


@jax.jit
def rankme(embeddings: Array) -> Array:
    """Effective rank of embeddings.

    exp(-sum_k p_k log p_k),   p_k = sigma_k / sum_j sigma_j + 1e-7,   sigma the singular values

    Args: embeddings [n, d], not centred. Returns a scalar near [1, min(n, d)], 1 of zeros alone. Garrido et al. 2023,
    arXiv 2210.02885.
    """
    sigma = singular_values(embeddings)
    whole = sigma.sum()
    p = sigma / jnp.where(whole > 0, whole, 1.0) + 1e-7
    return jnp.exp(-(p * jnp.log(p)).sum())


@jax.jit
def alignment(x: Array, y: Array, alpha: float = 2.0) -> Array:
    """Mean distance of positive pairs on the unit sphere.

    (1/n) sum_i ||x_i - y_i||^alpha,   rows scaled to length one

    Args: x [n, d], y [n, d], two views of the same examples; alpha > 0. Returns a scalar in [0, 2^alpha], 0 is best.
    Wang & Isola 2020, arXiv 2005.10242.
    """
    return (jnp.linalg.norm(unit(x) - unit(y), axis=-1) ** alpha).mean()


@partial(jax.jit, static_argnames="chunk")
def uniformity(x: Array, t: float = 2.0, chunk: int = 256) -> Array:
    """How evenly features cover the unit sphere.

    log( 2 / (n (n - 1)) sum_{i < j} exp(-t ||x_i - x_j||^2) ),   rows scaled to length one

    Args: x [n, d], n >= 2; t > 0: 2 in the paper, 1 in some libraries, so print it with the number.
    Returns a scalar in [-4t, 0], lower is more uniform. Raises: UserError for fewer than two rows.
    Wang & Isola 2020, arXiv 2005.10242.
    """
    n = len(x)
    if n < 2:
        raise UserError(f"Uniformity needs at least 2 examples, got {n}.")
    z = unit(x)

    def row(number: Array) -> Array:
        own = number[:, None] == jnp.arange(n)[None, :]
        exponents = jnp.where(own, -jnp.inf, -t * squared_distances(z[number], z))
        return jax.nn.logsumexp(exponents, axis=1)

    return jax.nn.logsumexp(in_batches(row, jnp.arange(n), chunk)) - jnp.log(n * (n - 1.0))
