"""Gradient matching between domains."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.losses.domains import risks, told_apart
from tl_jax.methods.contract import Method, Own, Terms, View


def fish() -> Method:
    """L = mean_k R_k - lam * mean_{k != l} <R_k', R_l'>: steps for one domain are steps for the others.

    The inner products are exact, of the network's trained parameters, and differentiated: <R_k', R_l'> is
    -d/dr R_l(theta - r R_k') at r = 0. The paper's Fish, and DomainBed's, has no second derivatives: it goes through
    the domains with small steps and moves the weights a share of that way, which does the same to first order with lam
    half the inner learning rate. lam = .01 here; there is no published one of this form, which has no lower bound.
    Running statistics are those of the first pass. Needs two domains. Shi et al. 2022, arXiv 2104.09937.
    """

    def terms(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        k = len(batch.sources)
        told_apart(k, "fish")

        def each(out: Outputs) -> Array:
            return risks(out["source"].logits, batch, at)

        def products(one: Array) -> Array:
            """Of the gradient of the domain of that one-hot row [K] with those of all others, their mean."""
            ahead = lambda rate: each(own.lookahead(lambda out: one @ each(out), rate))
            _, slopes = jax.jvp(ahead, (jnp.zeros(()),), (jnp.ones(()),))
            return -((1 - one) @ slopes) / (k - 1)

        match = jax.vmap(products)(jnp.eye(k)).mean()
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "apart": -match})

    return Method(terms, views={"source": View("source")}, lam=0.01, regression=True)
