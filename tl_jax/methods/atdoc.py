"""Neighbours in a memory of the target label it."""

import jax.numpy as jnp

from tl_jax.core.batching import in_batches
from tl_jax.core.types import Array, At, Batch, Model, Network, Output, Outputs, Tree
from tl_jax.losses.classes import cross_entropies, supervised
from tl_jax.losses.neighbours import Bank, nearest, remembered, replaced, unit
from tl_jax.methods.contract import Method, Own, Terms


def atdoc(neighbours: int = 5) -> Method:
    """L = CE_s + lam(p) * sum_i w_i CE(g_i, argmax q_i) / sum_i w_i,  q_i the mean memory of i's neighbours, w = max q.

    The memory holds, of every target, its features (of length 1) and its prediction p, sharpened and evened out over
    the classes: p^2 / sum over examples of p^2, by class. Neighbours are the nearest by cosine but for the example
    itself; q is detached. What a step has seen replaces its rows, and all rows are computed anew once per pass over
    the target (the authors': never; theirs are evened out over a batch). lam = .2, rising linearly; neighbours = 5.
    The form with neighbours (NA) of Liang et al. 2021, arXiv 2103.15595.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        t = out["target"]
        rows = nearest(unit(t.features), batch.target.index, own.memory["features"], neighbours)
        q = own.memory["predictions"][rows].mean(1)
        w = q.max(1)
        loss = (w * cross_entropies(t.logits, q.argmax(1))).sum() / jnp.maximum(w.sum(), 1e-12)
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "neighbours": loss})

    def entries(out: Output, share: float) -> Bank:
        p = remembered(out)
        squares = jnp.square(p["predictions"])
        return {**p, "predictions": share * squares / jnp.maximum(squares.sum(0, keepdims=True), 1e-12)}

    def refresh(network: Network, model: Model, x_t: Array, at: At) -> Tree:
        return entries(in_batches(lambda x: network.apply(model.params, model.stats, x)[0], x_t), 1.0)

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        rows = batch.target.index
        # A batch evens out its own sum over the classes, which is this share of the sum over all targets.
        share = len(rows) / len(model.memory["features"])
        return replaced(model.memory, rows, entries(out["target"], share))

    return Method(terms, lam=0.2, lam_schedule="linear", refresh=refresh, after=after)
