"""Confidence-score weighting: source-free, each target weighed by how sure the features and the model are of it."""

import jax
import jax.numpy as jnp

from tl_jax.core.batching import in_batches
from tl_jax.core.keys import named
from tl_jax.core.types import Array, At, Batch, Model, Network, Output, Outputs, Tree
from tl_jax.losses.classes import cross_entropies
from tl_jax.losses.examples.mixing import mixed, seeing, shares
from tl_jax.losses.examples.mixture import responsibilities
from tl_jax.losses.neighbours import unit
from tl_jax.methods.contract import Method, Own, Terms, View, source_model


def cowa(alpha: float = 1.0, smoothing: float = 0.1) -> Method:
    """L = mean_i (a s_i + (1 - a) s_j) (a CE(g_i, label_i) + (1 - a) CE(g_i, label_j)),  g_i of a x_i + (1 - a) x_j.

    j is another target of the batch, a ~ Beta(alpha, alpha) of each example. label: the likeliest class of a Gaussian
    mixture of all targets, on features of length 1, once per pass over them: means and shares from the predictions p
    and covariances of all, then one round from its own responsibilities r. s = LPG * p_label, LPG the gap of the two
    greatest log r over the greatest gap of any target. No source is read: begins from a source model trained with label
    smoothing. alpha = 1. Lee et al. 2022, arXiv 2206.06640.
    """

    def mixture(n: int, at: At) -> tuple[Array, Array]:
        order = jax.random.permutation(named(at.key, "partner"), n)
        return order, shares(named(at.key, "share"), n, at.values["alpha"])

    def adapt(network: Network, batch: Batch, at: At) -> Network:
        return seeing(network, lambda x: mixed(x, *mixture(len(x), at)))

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        logits = out["target"].logits
        label, score = (own.memory[name][batch.target.index] for name in ("label", "score"))
        other, a = mixture(len(label), at)
        each = a * cross_entropies(logits, label) + (1 - a) * cross_entropies(logits, label[other])
        weight = a * score + (1 - a) * score[other]
        return Terms({"pseudo": (weight * each).mean()}, {"score": score.mean()})

    def refresh(network: Network, model: Model, x_t: Array, at: At) -> Tree:
        return scored(in_batches(lambda x: network.apply(model.params, model.stats, x)[0], x_t))

    return Method(
        terms,
        views={"target": View("target")},
        weights=lambda at: {"pseudo": 1.0},
        values={"alpha": alpha},
        lam=None,
        adapt=adapt,
        refresh=refresh,
        start=source_model(smoothing),
    )


def scored(out: Output) -> dict[str, Array]:
    """Of every target its label [m] and the score s [m] of it, from features [m, d] and logits [m, c]."""
    f, p = unit(out.features), jax.nn.softmax(out.logits)
    log_r = responsibilities(f, jnp.exp(responsibilities(f, p, jnp.ones_like(p))))
    label, best = log_r.argmax(1), jax.lax.top_k(log_r, 2)[0]
    gap = best[:, 0] - best[:, 1]
    said = jnp.take_along_axis(p, label[:, None], 1)[:, 0]
    return {"label": label, "score": gap / jnp.maximum(gap.max(), 1e-12) * said}
