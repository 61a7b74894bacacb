"""The stored values themselves as features: what any network has to beat."""

import jax.numpy as jnp

from tl_jax.core.types import Array, Model, Network, Output
from tl_jax.methods.contract import HEAD_FROZEN, NOTHING_LEARNT, Method, View


def pixels() -> Method:
    """L = 0 and f(x) = x, flattened: no network.

    Reads nothing; no step changes it.
    """

    def predict(network: Network, model: Model, x: Array, domain: str) -> Output:
        logits = network.apply(model.params, model.stats, x)[0].logits
        return Output(x.reshape(len(x), -1).astype(jnp.float32), logits)

    return NOTHING_LEARNT._replace(views={"target": View("target")}, freeze=HEAD_FROZEN, predict=predict, labels="none")
