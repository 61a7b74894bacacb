"""Stochastic classifiers: two heads drawn from one distribution disagree on the target."""

import jax
import jax.numpy as jnp

from tl_jax.core.keys import named
from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import l1_discrepancy, supervised
from tl_jax.methods.contract import Example, Method, Own, Phase, Terms


def star(generator_steps: int = 4) -> Method:
    """The three steps of `mcd`, each with two heads drawn anew: W_i = W + softplus(s - 2) * e_i,  e_i ~ N(0, I).

    W [d, c] and the bias are those of the network's own linear head, which alone predicts; s [d, c] begins at 0. Per
    batch, with d = mean |p_1 - p_2| on the target: (A) all minimise CE_1 + CE_2 on the source; (B) W, bias and s alone
    minimise CE_1 + CE_2 - lam * d; (C) the trunk alone minimises lam * d, `generator_steps` times. lam = 1. Lu et al.
    2020 (CVPR), "Stochastic Classifiers".
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        head = mlp.of_linear(model.params["head"], "star")["dense0"]
        return Own({"spread": {"kernel": jnp.zeros_like(head["kernel"])}}, {})

    def drawn(own: Own, features: Array, at: At) -> list[Array]:
        head, spread = own.network["head"], jax.nn.softplus(own.params["spread"]["kernel"] - 2)
        noise = (jax.random.normal(named(at.key, f"head {i}"), spread.shape, spread.dtype) for i in range(2))
        return [features @ (head["kernel"] + spread * e) + head["bias"][None] for e in noise]

    def learn(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        one, two = (supervised(z, batch.y, at) for z in drawn(own, out["source"].features, at))
        return Terms({"source": one + two})

    def discrepancy(own: Own, out: Outputs, at: At) -> Array:
        return l1_discrepancy(*drawn(own, out["target"].features, at))

    def disagree(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        return Terms({**learn(own, out, batch, at).losses, "agreement": -discrepancy(own, out, at)})

    def agree(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        return Terms({"discrepancy": discrepancy(own, out, at)})

    return Method(
        learn,
        init,
        phases=(
            Phase(learn, ("heads", "trunk")),
            Phase(disagree, ("heads",)),
            Phase(agree, ("trunk",), generator_steps),
        ),
        groups={"heads": ("head/*", "method/*"), "trunk": ("*",)},
    )
