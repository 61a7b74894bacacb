"""How many times denser a target is than a source, as a sum of Gaussians about some of the target's examples."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array
from tl_jax.losses.discrepancy import squared_distances


def bumps(x: Array, centres: Array, width: Array) -> Array:
    """k_il = exp(-|x_i - c_l|^2 / (2 width^2)), [n, b] of x [n, d] and centres [b, d]."""
    return jnp.exp(-squared_distances(x, centres) / (2 * jnp.square(width)))


def median_distance(centres: Array) -> Array:
    """The median of the distances between different centres [b, d], and at least 1e-6: the usual width."""
    apart = squared_distances(centres, centres)[jnp.triu_indices(len(centres), 1)]
    return jnp.sqrt(jnp.maximum(jnp.median(apart), 1e-12))


def by_likelihood(k_t: Array, mean_s: Array, iterations: int = 200) -> Array:
    """KLIEP: a = argmax (1/m) sum_i log sum_l a_l k_il over the target, a >= 0, sum_l a_l mean_s k_l = 1 on the source.

    a_l <- (a_l / mean_s k_l) (1/m) sum_i k_il / sum_j a_j k_ij: EM for the shares a_l mean_s k_l of a mixture, which
    rises in every step to the optimum that the paper climbs to by projected gradients.

    Args: k_t [m, b]; mean_s [b], above 0. Returns [b]. Sugiyama et al. 2008 (AISM 60).
    """
    least = jnp.finfo(k_t.dtype).tiny

    def better(_: Array, a: Array) -> Array:
        said = jnp.matmul(k_t, a, precision="highest")
        a = a * (k_t / jnp.maximum(said, least)[:, None]).mean(0) / jnp.maximum(mean_s, least)
        return a / jnp.maximum(jnp.vdot(a, mean_s, precision="highest"), least)

    begin = jnp.ones_like(mean_s) / jnp.maximum(mean_s.sum(), least)
    return jax.lax.fori_loop(0, iterations, better, begin)


def by_least_squares(moment_s: Array, mean_t: Array, ridge: float | Array) -> Array:
    """uLSIF: a = max(0, (H + ridge I)^-1 h),  H = mean_s k k^T, h = mean_t k.

    Unclipped it minimises mean_s (w - p_t / p_s)^2 / 2 + ridge |a|^2 / 2 for w = k a.

    Args: moment_s H [b, b]; mean_t h [b]; ridge > 0. Returns [b]. Kanamori et al. 2009 (JMLR 10).
    """
    eye = jnp.eye(len(mean_t), dtype=moment_s.dtype)
    return jnp.maximum(jnp.linalg.solve(moment_s + ridge * eye, mean_t), 0.0)
