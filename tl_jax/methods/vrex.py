"""Risk extrapolation by the variance of risks."""

import jax.numpy as jnp

from tl_jax.core.schedules import annealed
from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.losses.domains import risks, told_apart
from tl_jax.methods.contract import Method, Own, Terms, View


def vrex(anneal: float = 0.1) -> Method:
    """L = mean_k R_k + lam * V,  V = (1/K) sum_k (R_k - mean R)^2, R_k the mean loss of domain k's part of the batch.

    The penalty weighs min(1, lam) in the first `anneal` of the run and lam after it. lam = 10 and 500 of 5000 steps as
    in DomainBed, which also resets Adam where the weight jumps; here its moments go on. The paper's lam is 1e4 on
    coloured digits. Needs two domains. Krueger et al. 2021, arXiv 2003.00688.
    """

    def terms(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        told_apart(len(batch.sources), "vrex")
        risk = risks(out["source"].logits, batch, at)
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "variance": jnp.var(risk)})

    return Method(
        terms,
        views={"source": View("source")},
        weights=lambda at: {"variance": annealed(at.progress, at.lam, at.values["anneal"])},
        values={"anneal": anneal},
        lam=10.0,
        regression=True,
    )
