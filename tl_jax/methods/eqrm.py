"""Empirical quantile risk minimisation."""

import jax
import jax.numpy as jnp
from jax.scipy.special import ndtri
from jax.scipy.stats import norm

from tl_jax.core.types import Array, At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.losses.domains import risks, told_apart
from tl_jax.methods.contract import Method, Own, Terms, View

BISECTIONS = 32


def eqrm(quantile: float = 0.75, burnin: float = 0.5) -> Method:
    """L = mean_k R_k in the first `burnin` of the run, then Q,  F(Q) = quantile,  F(q) = mean_k Phi((q - R_k) / h).

    R_k is the mean loss of domain k's part of the batch, F a Gaussian kernel estimate with h = 1.06 std(R) K^-.2 (std
    unbiased). Q is found by bisection; its derivative is the exact one, -F_R / F_q, where the authors' code
    differentiates the bisection, through which only the least and the greatest risk are heard. quantile = .75 and 2500
    of 5000 steps as in DomainBed, which then begins Adam anew with a learning rate of 1e-6; here both go on. Needs two
    domains. Eastwood et al. 2022, arXiv 2207.09944.
    """

    def terms(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        told_apart(len(batch.sources), "eqrm")
        risk = risks(out["source"].logits, batch, at)
        mean = supervised(out["source"].logits, batch.y, at)
        return Terms({"source": mean, "quantile": _quantile(risk, at.values["quantile"])})

    def weights(at: At) -> dict[str, Array]:
        burning = at.progress < at.values["burnin"]
        return {"source": jnp.where(burning, 1.0, 0.0), "quantile": jnp.where(burning, 0.0, 1.0)}

    return Method(
        terms,
        views={"source": View("source")},
        weights=weights,
        values={"quantile": quantile, "burnin": burnin},
        lam=None,
        regression=True,
    )


def _quantile(risk: Array, share: Array) -> Array:
    """The quantile of the kernel estimate over risks [K]."""
    # A width that is never zero: of equal risks the quantile is the risk, and its derivative is finite.
    least = jnp.square(1e-4 * jax.lax.stop_gradient(risk).mean()) + 1e-12
    width = 1.06 * len(risk) ** -0.2 * jnp.sqrt(jnp.var(risk, ddof=1) + least)
    below = lambda q: norm.cdf((q - risk) / width).mean()

    def halve(_: int, ends: tuple[Array, Array]) -> tuple[Array, Array]:
        middle = sum(ends) / 2
        over = below(middle) > share
        return jnp.where(over, ends[0], middle), jnp.where(over, middle, ends[1])

    offset = width * ndtri(share)
    ends = jax.lax.stop_gradient((risk.min() + offset, risk.max() + offset))
    q = jax.lax.stop_gradient(sum(jax.lax.fori_loop(0, BISECTIONS, halve, ends)) / 2)
    density = jax.lax.stop_gradient((norm.pdf((q - risk) / width) / width).mean())
    # A step of Newton's: nothing in value, and the derivative of an implicit function.
    return q - (below(q) - share) / jnp.maximum(density, 1e-12)
