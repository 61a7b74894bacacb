"""The stored values themselves as features: what any network has to beat."""

import jax.numpy as jnp

from tl_jax.core.types import Output
from tl_jax.methods.base import HEAD_FROZEN, Method, Terms, View


def pixels() -> Method:
    """L = 0 and f(x) = x, flattened: no network.

    Reads nothing; no step changes it.
    """

    def terms(own, out, batch, at):
        return Terms({"nothing": jnp.zeros(())})

    def predict(network, model, x, domain):
        logits = network.apply(model.params, model.stats, x)[0].logits
        return Output(x.reshape(len(x), -1).astype(jnp.float32), logits)

    return Method(
        terms,
        views={"target": View("target")},
        values={"lr": 0.0, "weight_decay": 0.0},
        lam=None,
        weights=lambda at: {"nothing": 1.0},
        freeze=HEAD_FROZEN,
        predict=predict,
        labels="none",
        trained=False,
    )
