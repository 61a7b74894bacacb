"""Adaptive batch normalisation: the target's statistics in the place of the source's."""

import jax
import jax.numpy as jnp

from tl_jax.core.batching import some
from tl_jax.core.types import Array, At, Batch, Model, Network, Outputs, Tree
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms, View, by_plain


def adabn(examples: int = 1000) -> Method:
    """L = CE_s on the source alone; targets are predicted with batch statistics of up to `examples` of them.

    Each layer is normalised by the mean and variance of its input over those targets (Li et al. 2017,
    arXiv 1603.04779). There is nothing to train on the target: lam does not enter.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        return Terms({"source": supervised(out["source"].logits, batch.y, at)})

    def refresh(network: Network, model: Model, x_t: Array, at: At) -> Tree:
        x = x_t[some(len(x_t), examples)]
        # One pass returns a mixture m * old + (1 - m) * batch; two different olds give m and the batch's own.
        at_zero, at_one = (
            network.apply(model.params, jax.tree.map(lambda s, v=v: jnp.full_like(s, v), model.stats), x, train=True)[1]
            for v in (0.0, 1.0)
        )
        return {"stats": jax.tree.map(lambda zero, one: zero / (1 - (one - zero)), at_zero, at_one)}

    def plain(model: Model, domain: str) -> tuple[Tree, Tree]:
        return model.params, model.memory["stats"] if domain == "target" else model.stats

    return Method(
        terms,
        lam=None,
        views={"source": View("source")},
        refresh=refresh,
        predict=by_plain(plain),
        plain=plain,
        regression=True,
    )
