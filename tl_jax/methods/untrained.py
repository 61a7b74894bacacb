"""The network as it was drawn: what pretraining has to beat."""

import jax.numpy as jnp

from tl_jax.methods.base import HEAD_FROZEN, Method, Terms, View


def untrained() -> Method:
    """L = 0: random weights, which as features of images are better than chance.

    Reads nothing; no step changes it.
    """

    def terms(own, out, batch, at):
        return Terms({"nothing": jnp.zeros(())})

    return Method(
        terms,
        views={"target": View("target")},
        values={"lr": 0.0, "weight_decay": 0.0},
        lam=None,
        weights=lambda at: {"nothing": 1.0},
        freeze=HEAD_FROZEN,
        labels="none",
        trained=False,
    )
