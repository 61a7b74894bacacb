"""Class means in the place of a trained head."""

import jax
import jax.numpy as jnp

from tl_jax.core.batching import in_batches
from tl_jax.core.types import Array, Labeled, Model, Network, Output, Tree
from tl_jax.losses.contrastive import unit
from tl_jax.methods.contract import NOTHING_LEARNT, Example, Method, Own, View


def prototypical(form: str = "plain") -> Method:
    """Nothing is trained: logits_ic = -||f_i - mu_c||^2 + a_i, mu_c the mean of the labelled features of class c.

    a_i is one for all classes of an example, so that a linear head has these very logits; -inf for a class without a
    labelled example. form="unit": features less the mean of all labelled ones, then of length 1. Labels are the
    target's. Snell et al. 2017, arXiv 1703.05175 (an episode's prototypes); Wang et al. 2019, arXiv 1911.04623
    ("unit", its CL2N).
    """

    def seen_as(features: Array, centre: Array) -> Array:
        return unit(features - centre[None, :]) if form == "unit" else features

    def survey(network: Network, model: Model, seen: Labeled) -> Tree:
        features = in_batches(lambda x: network.apply(model.params, model.stats, x)[0].features, seen.x)
        centre = features.mean(0)
        member = jax.nn.one_hot(seen.y, len(model.memory["means"]), dtype=features.dtype)
        sums, count = jnp.matmul(member.T, seen_as(features, centre), precision="highest"), member.sum(0)
        return {"centre": centre, "means": sums / jnp.maximum(count, 1)[:, None], "seen": count > 0}

    def predict(network: Network, model: Model, x: Array, domain: str) -> Output:
        features = network.apply(model.params, model.stats, x)[0].features
        origin = model.memory["means"].mean(0, keepdims=True)  # far from it the squares would cancel badly
        f, means = seen_as(features, model.memory["centre"]) - origin, model.memory["means"] - origin
        cross = jnp.matmul(f, means.T, precision="highest")
        scores = 2 * cross - jnp.square(means).sum(1)[None, :]  # the example's own ||f||^2 is the same for all classes
        return Output(features, jnp.where(model.memory["seen"][None, :], scores, -jnp.inf))

    def plain(model: Model, domain: str) -> tuple[Tree, Tree]:
        if form == "unit" or set(model.params["head"]) != {"kernel", "bias"}:
            return model.params, model.stats
        origin = model.memory["means"].mean(0)
        means = model.memory["means"] - origin[None, :]
        bias = -jnp.square(means).sum(1) - 2 * jnp.matmul(means, origin, precision="highest")
        bias = jnp.where(model.memory["seen"], bias, -jnp.inf)
        return {**model.params, "head": {"kernel": 2 * means.T, "bias": bias}}, model.stats

    def init(key: Array, example: Example, model: Model) -> Own:
        c, d = example.logits.shape[-1], example.features.shape[-1]
        return Own({}, {"centre": jnp.zeros(d), "means": jnp.zeros((c, d)), "seen": jnp.ones(c, bool)})

    return NOTHING_LEARNT._replace(
        init=init, views={"source": View("source")}, survey=survey, predict=predict, plain=plain, labels="target"
    )
