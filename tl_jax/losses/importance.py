"""Importance: how many times more frequent a class, or denser an example, is in a target; and what is held out."""

from collections.abc import Sequence

import jax
import jax.numpy as jnp

from tl_jax.core.matrices import solve
from tl_jax.core.types import Array
from tl_jax.losses.discrepancy import squared_distances


def held_out(domains: Sequence[str], rows: Sequence[Array], share: float) -> Array:
    """Which examples of several labelled sets are kept from training, bool [n]: of "target" none.

    Args: the sets' names; rows: of each the rows [n_k] in it; share: about how much of any set, always the same rows.
    Drawn row by row: every k-th of a sorted or periodic set would be of few classes.
    """
    draw = jax.vmap(lambda row: jax.random.uniform(jax.random.fold_in(jax.random.key(0), row), dtype=jnp.float32))
    parts = zip(domains, rows, strict=True)
    return jnp.concatenate([(draw(of) < share) & (domain != "target") for domain, of in parts])


def by_confusion(joint: Array, predicted: Array, ridge: float = 1e-4) -> Array:
    """How many times more frequent each class is in the target: w = argmin |c C w - c m|^2 + ridge |w - 1|^2, w >= 0.

    C_ij = P_s(prediction i, class j), m_i = P_t(prediction i): C w = m where p(x | y) is the same in both domains.
    Negative ones are 0, then the target's shares w_j P_s(j) are brought to the sum 1.

    Args: joint [c, c] of any positive sum; predicted [c]. Returns [c]. Lipton et al. 2018, arXiv 1802.03916; the ridge
    towards no shift as Azizzadenesheli et al. 2019, arXiv 1903.09734.
    """
    c = len(predicted)
    joint = joint / joint.sum()
    a, b, eye = c * joint, c * predicted, jnp.eye(c, dtype=joint.dtype)
    product = lambda x, y: jnp.matmul(x, y, precision="highest")
    w = jnp.maximum(solve(product(a.T, a) + ridge * eye, product(a.T, b) + ridge), 0.0)
    return w / product(joint.sum(0), w)


def shares_by_likelihood(log_p: Array, log_prior: Array, iterations: int = 100) -> Array:
    """log q [c], the shares of classes in the target that make its examples most likely, by EM.

    q_j <- (1/m) sum_i r_ij,   r_ij = (q_j / pi_j) p_ij / sum_k (q_k / pi_k) p_ik

    Args: log_p [m, c], log-probabilities of a classifier whose classes have the shares pi; log_prior = log pi [c].
    From q = pi. Saerens et al. 2002 (Neural Computation 14).
    """

    def better(_: Array, log_q: Array) -> Array:
        log_r = jax.nn.log_softmax(log_p + (log_q - log_prior)[None, :])
        return jax.nn.logsumexp(log_r, axis=0) - jnp.log(len(log_p)).astype(log_q.dtype)

    return jax.lax.fori_loop(0, iterations, better, log_prior)


def bumps(x: Array, centres: Array, width: Array) -> Array:
    """k_il = exp(-|x_i - c_l|^2 / (2 width^2)), [n, b] of x [n, d] and centres [b, d]."""
    return jnp.exp(-squared_distances(x, centres) / (2 * jnp.square(width)))


def median_distance(centres: Array) -> Array:
    """The median of the distances between different centres [b, d], and at least 1e-6: the usual width."""
    apart = squared_distances(centres, centres)[jnp.triu_indices(len(centres), 1)]
    return jnp.sqrt(jnp.maximum(jnp.median(apart), 1e-12))


def ratio_by_likelihood(k_t: Array, mean_s: Array, iterations: int = 200) -> Array:
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


def ratio_by_least_squares(moment_s: Array, mean_t: Array, ridge: float | Array) -> Array:
    """uLSIF: a = max(0, (H + ridge I)^-1 h),  H = mean_s k k^T, h = mean_t k.

    Unclipped it minimises mean_s (w - p_t / p_s)^2 / 2 + ridge |a|^2 / 2 for w = k a.

    Args: moment_s H [b, b]; mean_t h [b]; ridge > 0. Returns [b]. Kanamori et al. 2009 (JMLR 10).
    """
    eye = jnp.eye(len(mean_t), dtype=moment_s.dtype)
    return jnp.maximum(solve(moment_s + ridge * eye, mean_t), 0.0)


def density_ratio(x: Array, centres: Array, width: Array, a: Array) -> Array:
    """w_i = sum_l a_l k_il without gradient, [n]; 1 as long as no a is known (all of it 0)."""
    w = jax.lax.stop_gradient(bumps(x, centres, width) @ a)
    return jnp.where(a.sum() > 0, w, 1.0)


def weighted_mean(losses: Array, w: Array) -> tuple[Array, Array]:
    """sum_i w_i l_i / sum_i w_i, and the effective share of the examples (sum w)^2 / (n sum w^2)."""
    total = jnp.maximum(w.sum(), 1e-6)
    effective = total**2 / (len(w) * jnp.maximum(jnp.square(w).sum(), 1e-12))
    return (w * losses).sum() / total, effective
