"""Test-time templates: the head becomes the class means of what was met with certainty."""

from typing import Any

import jax
import jax.numpy as jnp

from tl_jax.core.errors import UserError
from tl_jax.core.types import Array, At, Batch, Model, Network, Output, Outputs, Tree
from tl_jax.losses.classes import entropy
from tl_jax.methods.contract import NOTHING_LEARNT, Example, Method, Own, View


def t3a(filter: int = 100) -> Method:
    """L = 0; logits f . mu_k / |mu_k|, mu_k the mean direction of the supports of class k.

    Supports of k are the features that the head called k, a batch's before it is predicted, of which the `filter` of
    least entropy are kept; they begin with the head's own weights. No parameter moves. filter = 100, which the paper
    chooses by validation. Needs a linear head. Iwasawa & Matsuo 2021 (NeurIPS 34), "Test-Time Classifier Adjustment
    Module for Model-Agnostic Domain Generalization".
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        head = model.params["head"]
        if set(head) != {"kernel", "bias"} or head["kernel"].shape != (
            *example.features.shape[1:],
            *head["bias"].shape,
        ):
            raise UserError("t3a begins with the weights of a linear head, which this network has not.")
        (d, c), weights = head["kernel"].shape, head["kernel"].T
        of = weights.dtype
        empty = {"support": jnp.zeros((c, filter, d), of), "entropy": jnp.full((c, filter), jnp.inf, of)}
        return Own({}, with_supports(empty, Output(weights, weights @ head["kernel"] + head["bias"][None])))

    def predict(network: Network, model: Model, x: Array, domain: str) -> Output:
        out = network.apply(model.params, model.stats, x)[0]
        return out._replace(logits=out.features @ templates(with_supports(model.memory, out)))

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        return with_supports(model.memory, out["target"])

    still = View("target", train=False)
    return NOTHING_LEARNT._replace(views={"target": still}, labels="none", init=init, predict=predict, after=after)


def with_supports(memory: Any, out: Output) -> dict[str, Array]:
    """The memory with a batch: of each class [c] the rows of least entropy, old ones and new [c, filter, d]."""
    c, kept, _ = memory["support"].shape
    called = jax.nn.one_hot(out.logits.argmax(1), c, dtype=bool).T
    certain = jnp.concatenate([memory["entropy"], jnp.where(called, entropy(out.logits), jnp.inf)], 1)
    rows = jnp.concatenate([memory["support"], jnp.broadcast_to(out.features, (c, *out.features.shape))], 1)
    least, where = jax.lax.top_k(-certain, kept)
    return {"support": jnp.take_along_axis(rows, where[..., None], 1), "entropy": -least}


def templates(memory: Any) -> Array:
    """Class means of the supports' directions, normalised: [d, c]; zero for a class without any."""
    unit = lambda x, axis: x / jnp.maximum(jnp.linalg.norm(x, axis=axis, keepdims=True), 1e-12)
    there = jnp.isfinite(memory["entropy"])[..., None]
    return unit(jnp.where(there, unit(memory["support"], -1), 0).sum(1).T, 0)
