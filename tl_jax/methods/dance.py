"""Neighbourhood clustering and entropy separation: adaptation whatever classes the two domains share."""

import math

import jax.numpy as jnp

from tl_jax.core.batching import in_batches
from tl_jax.core.errors import UserError
from tl_jax.core.types import Array, At, Batch, Model, Network, Outputs, Tree
from tl_jax.losses.classes import entropy, supervised
from tl_jax.losses.neighbours import unit
from tl_jax.methods.contract import Example, Method, Own, Terms


def dance(temperature: float = 0.05, margin: float = 0.5) -> Method:
    """L = CE_s + lam * (mean_t H(q_i) - mean_t |H(p_i) - rho| [|H(p_i) - rho| > margin]),  rho = log(K) / 2.

    q_i = softmax(f_i . (W, V, F) / temperature), all rows of length 1: over the K rows W of the head, a memory V of the
    targets that are not in the batch, and the batch F but for i itself. So each target nears a class or other targets,
    and its prediction p is made sure or unsure. The memory takes what a step has seen, and is computed anew once per
    pass (the authors': never). Rejection is by the entropy, the rule that is everyone's here. The paper keeps
    statistics of the two domains apart (--forward_plan=per_domain) and has a cosine head (head='cosine').
    temperature = .05, margin = .5, lam = .05. Saito et al. 2020, arXiv 2002.07953.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        if "kernel" not in model.params["head"]:
            raise UserError(
                "dance reads a row for each class off the head: use --network=NAME(head='linear'), its default."
            )
        return Own({}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        f, rows, bank = unit(out["target"].features), batch.target.index, own.memory["features"]
        scale = at.values["temperature"]
        here = (rows[:, None] == jnp.arange(len(bank))[None, :]).any(0)
        similar = [
            f @ unit(own.network["head"]["kernel"].T).T,
            jnp.where(here[None, :], -1.0, f @ bank.T),
            jnp.where(jnp.eye(len(f), dtype=bool), -1.0, f @ f.T),
        ]
        apart = jnp.abs(entropy(out["target"].logits) - math.log(out["target"].logits.shape[1]) / 2)
        return Terms(
            {
                "source": supervised(out["source"].logits, batch.y, at),
                "neighbourhood": entropy(jnp.concatenate(similar, axis=1) / scale).mean(),
                "separation": -jnp.where(apart > at.values["margin"], apart, 0.0).mean(),
            }
        )

    def refresh(network: Network, model: Model, x_t: Array, at: At) -> Tree:
        features = lambda x: network.apply(model.params, model.stats, x)[0].features
        return {"features": unit(in_batches(features, x_t))}

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        seen = unit(out["target"].features)
        return {"features": model.memory["features"].at[batch.target.index].set(seen)}

    values = {"temperature": temperature, "margin": margin}
    return Method(terms, init, values=values, lam=0.05, refresh=refresh, after=after)
