"""Sliced Wasserstein discrepancy of two classifiers."""

import jax
import jax.numpy as jnp

from tl_jax.core.keys import named
from tl_jax.core.types import Array, At, Batch, Model, Network, Output, Outputs
from tl_jax.losses import heads
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Example, Method, Own, Phase, Terms


def swd(slices: int = 128, generator_steps: int = 4) -> Method:
    """The three steps of `mcd` with d = mean over slices r of mean_i (sort(P_1 r)_i - sort(P_2 r)_i)^2 on the target.

    P_1, P_2 [m, c] are what two heads predict, r [c] random directions of length 1, drawn anew in every step; sorted
    along the examples: the squared Wasserstein distance of two samples on a line. Per batch: (A) all minimise CE_1 +
    CE_2 on the source; (B) the heads alone minimise CE_1 + CE_2 - lam * d; (C) the trunk alone minimises lam * d,
    `generator_steps` times. Both heads vote at the end. slices = 128, lam = 1. Lee et al. 2019, arXiv 1903.04064.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        return Own({"head": heads.another(key, model.params["head"], "swd")}, {})

    def second(own: Own, out: Outputs, domain: str, at: At) -> Array:
        return heads.apply(own.params["head"], out[domain].features, named(at.key, f"second head {domain}"))

    def distance(own: Own, out: Outputs, at: At) -> Array:
        p, q = (jax.nn.softmax(g) for g in (out["target"].logits, second(own, out, "target", at)))
        r = jax.random.normal(named(at.key, "slices"), (p.shape[1], slices), p.dtype)
        r = r / jnp.linalg.norm(r, axis=0, keepdims=True)
        return jnp.square(jnp.sort(p @ r, axis=0) - jnp.sort(q @ r, axis=0)).mean()

    def source(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        of_second = supervised(second(own, out, "source", at), batch.y, at)
        return Terms({"source": supervised(out["source"].logits, batch.y, at) + of_second})

    def apart(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        return Terms({**source(own, out, batch, at).losses, "closeness": -distance(own, out, at)})

    def together(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        return Terms({"distance": distance(own, out, at)})

    def predict(network: Network, model: Model, x: Array, domain: str) -> Output:
        out, _ = network.apply(model.params, model.stats, x)
        return Output(out.features, (out.logits + heads.apply(model.own["head"], out.features)) / 2)

    return Method(
        source,
        init,
        phases=(
            Phase(source, ("heads", "trunk")),
            Phase(apart, ("heads",)),
            Phase(together, ("trunk",), generator_steps),
        ),
        groups={"heads": ("head/*", "method/*"), "trunk": ("*",)},
        predict=predict,
    )
