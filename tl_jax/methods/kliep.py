"""Kullback-Leibler importance estimation: source examples weigh as much as the target is denser there."""

import jax.numpy as jnp

from tl_jax.core.batching import in_batches, some
from tl_jax.core.types import Array, At, Batch, Model, Network, Outputs, Tree
from tl_jax.losses.classes import supervised_each
from tl_jax.losses.importance import bumps, density_ratio, median_distance, ratio_by_likelihood, weighted_mean
from tl_jax.methods.contract import Example, Method, Own, Terms, View, source_model


def kliep(centres: int = 100, iterations: int = 200) -> Method:
    """L = sum_i w_i CE_i / sum_i w_i,  w = k(f_s) a,  a = argmax mean_t log k a with mean_s k a = 1 and a >= 0.

    k are Gaussians about `centres` features of the target, of the median distance between them as width. The trunk is
    the source model's and stays: the head alone goes on, with weights. Means of the source are of the batches so far,
    as passed at inference; a is found once per pass over the target, before that w = 1. For covariate shift, p(y|f) the
    same in both domains; the paper's cross-validation of the width is left out. centres = 100. Sugiyama et al. 2008
    (AISM 60).
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        zero = jnp.zeros(())
        return Own({}, {"centres": example.features, "width": zero, "a": zero, "seen": zero, "sum": zero})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        w = density_ratio(out["measured"].features, *(own.memory[name] for name in ("centres", "width", "a")))
        loss, effective = weighted_mean(supervised_each(out["source"].logits, batch.y, at), w)
        return Terms({"weighted": loss}, {"effective": effective})

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        memory = model.memory
        k = bumps(out["measured"].features, memory["centres"], memory["width"])
        return {**memory, "sum": memory["sum"] + k.sum(0), "seen": memory["seen"] + len(k)}

    def refresh(network: Network, model: Model, x_t: Array, at: At) -> Tree:
        features = in_batches(lambda x: network.apply(model.params, model.stats, x)[0].features, x_t)
        about = features[some(len(x_t), centres)]
        width, b, dtype = median_distance(about), len(about), features.dtype
        # The trunk stands still, and so do the centres: sums go on. Before step 0 there are none.
        total = jnp.zeros(b, dtype) + model.memory["sum"].astype(dtype)
        seen = model.memory["seen"].astype(dtype)
        a = ratio_by_likelihood(bumps(features, about, width), total / jnp.maximum(seen, 1), iterations)
        return {"centres": about, "width": width, "a": jnp.where(seen > 0, a, 0.0), "seen": seen, "sum": total}

    views = {"source": View("source"), "measured": View("source", train=False)}
    still = tuple((f"{part}/*", "frozen") for part in ("backbone", "bottleneck"))
    once = lambda at: {"weighted": 1.0}
    start = source_model()
    return Method(terms, init, views, once, lam=None, after=after, refresh=refresh, freeze=still, start=start)
