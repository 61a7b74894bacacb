"""AND-mask: only where the domains' gradients agree in sign does anything move."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from tl_jax.core.trees import flatten
from tl_jax.core.types import Array, At, Batch, Outputs
from tl_jax.losses.domains import risks, told_apart
from tl_jax.methods.contract import Method, Own, Terms, View

Slopes = Mapping[str, Array]


def and_mask(tau: float = 1.0) -> Method:
    """The gradient is m * mean_k R_k' / mean m,  m = [|mean_k sign R_k'| >= tau],  each parameter array by itself.

    R_k is the mean loss of domain k; the term that is shown is mean_k R_k. tau = 1, as DomainBed's default: all domains
    agree. Of the network's trained parameters; clipping and the optimiser come after it. Running statistics are those
    of the first pass. Needs two domains. Parascandolo et al. 2021, arXiv 2009.00329.
    """

    def terms(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        told_apart(len(batch.sources), "and_mask")
        slopes: list[Slopes] = []

        def stay(slope: Slopes) -> Slopes:
            slopes.append(jax.lax.stop_gradient(slope))
            return {path: jnp.zeros_like(g) for path, g in slope.items()}

        each = lambda out: risks(out["source"].logits, batch, at)
        for k in range(len(batch.sources)):
            own.lookahead(lambda out, k=k: each(out)[k], stay)
        mean = each(out).mean()
        agreed, theta = masked(slopes, at.values["tau"]), flatten(own.network)
        # A sum whose derivative is the masked gradient; its own value is taken out again.
        pull = sum(((theta[path] * g).sum() for path, g in agreed.items()), jnp.zeros(()))
        return Terms({"masked": pull + jax.lax.stop_gradient(mean - pull)})

    views, weights = {"source": View("source")}, lambda at: {"masked": 1.0}
    return Method(terms, views=views, weights=weights, values={"tau": tau}, lam=None, regression=True)


def masked(slopes: list[Slopes], tau: Array) -> dict[str, Array]:
    """The mean of the domains' gradients where they agree, as long as if it were everywhere."""
    found = {}
    for path in slopes[0]:
        each = jnp.stack([slope[path] for slope in slopes])
        mask = (jnp.abs(jnp.sign(each).mean(0)) >= tau - 1e-6).astype(each.dtype)
        found[path] = mask * each.mean(0) / (mask.mean() + 1e-10)
    return found
