"""Class means in the place of a trained head."""

import jax
import jax.numpy as jnp

from tl_jax.core.batching import in_batches
from tl_jax.core.contrastive import unit
from tl_jax.core.types import Output
from tl_jax.methods.base import NOTHING_LEARNT, Method, Own, View


def prototypical(form: str = "plain") -> Method:
    """Nothing is trained: logits_ic = -||f_i - mu_c||^2, mu_c the mean of the labelled features of class c.

    form="unit": features less the mean of all labelled ones, then of length 1. Labels are the target's. Snell
    et al. 2017, arXiv 1703.05175 (an episode's prototypes); Wang et al. 2019, arXiv 1911.04623 ("unit", its CL2N).
    """

    def seen_as(features, centre):
        return unit(features - centre[None, :]) if form == "unit" else features

    def survey(network, model, seen):
        features = in_batches(lambda x: network.apply(model.params, model.stats, x)[0].features, seen.x)
        centre = features.mean(0)
        member = jax.nn.one_hot(seen.y, len(model.memory["means"]), dtype=features.dtype)
        means = jnp.matmul(member.T, seen_as(features, centre), precision="highest") / member.sum(0)[:, None]
        return {"centre": centre, "means": means}

    def predict(network, model, x, domain):
        features = network.apply(model.params, model.stats, x)[0].features
        origin = model.memory["means"].mean(0, keepdims=True)  # far from it the squares would cancel badly
        f, means = seen_as(features, model.memory["centre"]) - origin, model.memory["means"] - origin
        cross = jnp.matmul(f, means.T, precision="highest")
        return Output(features, 2 * cross - jnp.square(f).sum(1)[:, None] - jnp.square(means).sum(1)[None, :])

    def init(key, example, model):
        d = example.features.shape[-1]
        return Own({}, {"centre": jnp.zeros(d), "means": jnp.zeros((example.logits.shape[-1], d))})

    return NOTHING_LEARNT._replace(
        init=init, views={"source": View("source")}, survey=survey, predict=predict, labels="target"
    )
