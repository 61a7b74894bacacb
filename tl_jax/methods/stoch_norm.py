"""Stochastic normalisation: fine-tuning in which batch normalisation also uses what it has stored."""

from typing import Any

import jax

from tl_jax.core.keys import named
from tl_jax.core.trees import flatten, unflatten
from tl_jax.core.types import Array, At, Batch, Network, Output, Outputs, Tree
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms, View


def stoch_norm(p: float = 0.5) -> Method:
    """L = CE, where in every step each channel is normalised by z = s z_batch + (1 - s) z_stored, s ~ Bernoulli(p).

    z_batch takes the batch's mean and variance, z_stored the running ones, which move as ever. Labels are the
    target's; p = 1 is plain fine-tuning. A network without batch normalisation is left as it is. p = .5.
    Kou et al. 2020 (NeurIPS 33), "Stochastic Normalization".
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        return Terms({"source": supervised(out["source"].logits, batch.y, at)})

    def adapt(network: Network, batch: Batch, at: At) -> Network:
        def apply(params: Tree, stats: Tree, x: Array, **how: Any) -> tuple[Output, Tree]:
            means = {path: m for path, m in flatten(stats).items() if path.endswith("/mean")}
            share = at.values["p"]
            drawn = {path: jax.random.bernoulli(named(at.key, path), share, m.shape) for path, m in means.items()}
            return network.apply(params, stats, x, **how, mixed=unflatten(drawn))

        return Network(network.init, apply)

    return Method(
        terms,
        views={"source": View("source")},
        values={"p": p},
        lam=None,
        adapt=adapt,
        labels="target",
        regression=True,
    )
