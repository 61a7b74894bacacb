"""Group distributionally robust optimisation."""

import math

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Model, Outputs, Tree
from tl_jax.losses.domains import risks, told_apart
from tl_jax.methods.contract import Example, Method, Own, Terms, View


def group_dro(eta: float = 0.01) -> Method:
    """L = sum_k q_k R_k,  q_k <- q_k exp(eta R_k) / sum_l q_l exp(eta R_l) before it: the worst domain weighs most.

    R_k is the mean loss of domain k's part of the batch, detached in q; q = 1/K at first. What is remembered is log q,
    which no risk makes overflow. eta = .01 as in the paper and in DomainBed. Every batch has as many examples of each
    domain, where the paper draws the group, too; no adjustment by the size of a group. Needs two domains.
    Sagawa et al. 2020, arXiv 1911.08731.
    """

    def found(log_q: Array, out: Outputs, batch: Batch, at: At) -> tuple[Array, Array]:
        risk = risks(out["source"].logits, batch, at)
        moved = log_q + (at.values["eta"] * jax.lax.stop_gradient(risk)).astype(log_q.dtype)
        return risk, jax.nn.log_softmax(moved)

    def init(key: Array, example: Example, model: Model) -> Own:
        told_apart(example.domains, "group_dro")
        return Own({}, {"log_q": jnp.full(example.domains, -math.log(example.domains), example.logits.dtype)})

    def terms(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        risk, log_q = found(own.memory["log_q"], out, batch, at)
        return Terms({"robust": jnp.exp(log_q) @ risk}, {"greatest weight": jnp.exp(log_q.max())})

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        return {"log_q": found(model.memory["log_q"], out, batch, at)[1]}

    return Method(
        terms,
        init,
        views={"source": View("source")},
        weights=lambda at: {"robust": 1.0},
        values={"eta": eta},
        lam=None,
        after=after,
        regression=True,
    )
