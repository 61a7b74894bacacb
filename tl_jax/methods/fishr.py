"""Invariant variances of the gradients."""

import jax
import jax.numpy as jnp

from tl_jax.core.trees import moving_average
from tl_jax.core.types import Array, At, Batch, Model, Output, Outputs, Tree
from tl_jax.losses import mlp
from tl_jax.losses.classes import supervised
from tl_jax.losses.domains import told_apart
from tl_jax.methods.contract import Example, Method, Own, Terms, View


def fishr(decay: float = 0.95, anneal: float = 0.3) -> Method:
    """L = mean_k R_k + lam * (1/K) sum_k mean_j (v_kj - mean_l v_lj)^2: gradients vary alike in all domains.

    v_k [(d + 1) c] is the variance (divided by n_k) over domain k's part of the batch of the gradients of single
    examples in the weights of the linear head: (f_i, 1) outer (p_i - y_i). With the memory m_k, 0 at first,
    v_k + decay / (1 - decay) m_k stands in its place, and m_k <- decay m_k + (1 - decay) v_k after the step: what is
    learnt of the batch does not depend on decay. lam is 0 in the first `anneal` of the run. lam = 1000, decay = .95 and
    1500 of 5000 steps as in DomainBed, which also resets Adam there; here its moments go on. Needs two domains and a
    linear head. Rame et al. 2022, arXiv 2109.02934.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        told_apart(example.domains, "fishr")
        mlp.of_linear(model.params["head"], "fishr")
        numbers = (example.features.shape[-1] + 1) * example.logits.shape[-1]
        return Own({}, {"variance": jnp.zeros((example.domains, numbers), example.features.dtype)})

    def terms(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        decay = at.values["decay"]
        v = _variances(out, batch) + decay / (1 - decay) * own.memory["variance"]
        apart = jnp.square(v - v.mean(0, keepdims=True)).mean()
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "variance": apart})

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        return moving_average(model.memory, {"variance": _variances(out, batch)}, at.values["decay"])

    return Method(
        terms,
        init,
        views={"source": View("source")},
        weights=lambda at: {"variance": jnp.where(at.progress < at.values["anneal"], 0.0, at.lam)},
        values={"decay": decay, "anneal": anneal},
        lam=1000.0,
        after=after,
    )


def _variances(out: Outputs, batch: Batch) -> Array:
    """Of the gradients of single examples, by domain: [K, (d + 1) c]."""
    parts = batch.split(out["source"])
    return jnp.stack([_variance(part, source.y) for part, source in zip(parts, batch.sources, strict=True)])


def _variance(part: Output, y: Array) -> Array:
    f, p = part.features, jax.nn.softmax(part.logits)
    off = p - jax.nn.one_hot(y, p.shape[-1], dtype=p.dtype)
    with_bias = jnp.concatenate([f, jnp.ones_like(f[:, :1])], 1)
    return jnp.var((with_bias[:, :, None] * off[:, None, :]).reshape(len(f), -1), axis=0)
