"""Attracting and dispersing: source-free adaptation by neighbours."""

import jax
import jax.numpy as jnp

from tl_jax.core.batching import in_batches
from tl_jax.core.types import Array, At, Batch, Model, Network, Outputs, Tree
from tl_jax.losses.neighbours import nearest, remembered, replaced, unit
from tl_jax.methods.contract import Method, Own, Terms, View, source_model


def aad(neighbours: int = 5, decay: float = 5.0, smoothing: float = 0.1) -> Method:
    """L = -(1/n) sum_i sum_{k near i} p_i . q_k + a(p) (1/n) sum_i sum_{j != i} p_i . p_j,  a(p) = (1 + 10 p)^-decay.

    q and the features that say what is near are of a memory of all targets (the nearest by cosine, but for the example
    itself), p_j of the batch; both detached. What a step has seen replaces its rows, and all rows are computed anew
    once per pass over the target (the authors': never). No source is read: begins from a source model trained with
    label smoothing, all of which moves. neighbours = 5, decay = 5 (VisDA; 0 to 5 by data set). Yang et al. 2022, arXiv
    2205.04183.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        p = jax.nn.softmax(out["target"].logits)
        rows = nearest(unit(out["target"].features), batch.target.index, own.memory["features"], neighbours)
        near = jnp.einsum("nc,nkc->n", p, own.memory["predictions"][rows]).mean()
        others = jax.lax.stop_gradient(p)
        far = (p * (others.sum(0, keepdims=True) - others)).sum(1).mean()
        return Terms({"attract": -near, "disperse": far})

    def refresh(network: Network, model: Model, x_t: Array, at: At) -> Tree:
        return remembered(in_batches(lambda x: network.apply(model.params, model.stats, x)[0], x_t))

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        return replaced(model.memory, batch.target.index, remembered(out["target"]))

    return Method(
        terms,
        views={"target": View("target")},
        weights=lambda at: {"attract": 1.0, "disperse": (1 + 10 * at.progress) ** -at.values["decay"]},
        values={"decay": decay},
        lam=None,
        refresh=refresh,
        after=after,
        start=source_model(smoothing),
    )
