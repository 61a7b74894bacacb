"""Source hypothesis transfer: adaptation without the source data."""

import jax
import jax.numpy as jnp

from tl_jax.core.batching import in_batches
from tl_jax.core.types import Array, At, Batch, Model, Network, Outputs, Tree
from tl_jax.losses.classes import cross_entropy, entropy, marginal_entropy
from tl_jax.methods.contract import Method, Own, Terms, View, source_model


def shot(smoothing: float = 0.1) -> Method:
    """L = mean H(p_t) - H(mean p_t) + lam * CE(p_t, pseudo-labels); the head is frozen, no source is read.

    Begins from a source model trained with label smoothing. Pseudo-labels (see `pseudo_labels`) are renewed
    once per pass over the target. lam = .3; lam = 0 is SHOT-IM. Liang et al. 2020, arXiv 2002.08546.

    By choice otherwise than the authors: head and bottleneck are the network's own (theirs: weight normalisation, a
    bottleneck without ReLU), the trunk learns as fast as the bottleneck (theirs: a tenth; --freeze='backbone/*=0.1'),
    and the source model is that of the last step (theirs: the best on validation data).
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        logits = out["target"].logits
        labels = own.memory["labels"][batch.target.index]
        information = entropy(logits).mean() - marginal_entropy(logits)
        return Terms({"information": information, "pseudo": cross_entropy(logits, labels)})

    def refresh(network: Network, model: Model, x_t: Array, at: At) -> Tree:
        out = in_batches(lambda x: network.apply(model.params, model.stats, x)[0], x_t)
        return {"labels": pseudo_labels(out.features, out.logits)}

    return Method(
        terms,
        views={"target": View("target")},
        weights=lambda at: {"information": 1.0},
        lam=0.3,
        refresh=refresh,
        freeze=(("head/*", "frozen"),),
        start=source_model(smoothing),
    )


def pseudo_labels(features: Array, logits: Array) -> Array:
    """Labels [m] of the nearest class centroid by cosine, after one re-assignment; f gets a constant 1 appended.

    Centroids: means of f / |f| weighted by the predictions p [m, c], then by the labels themselves. Classes
    that no prediction names, or that the first assignment leaves empty, are left out. features [m, d], logits [m, c].
    """
    f = jnp.concatenate([features, jnp.ones((len(features), 1))], axis=1)
    f = f / jnp.linalg.norm(f, axis=1, keepdims=True)
    c = logits.shape[1]
    weights, labels = jax.nn.softmax(logits), logits.argmax(1)
    for _ in range(2):
        named = jax.nn.one_hot(labels, c).sum(0) > 0
        centroids = weights.T @ f
        centroids = centroids / (jnp.linalg.norm(centroids, axis=1, keepdims=True) + 1e-8)
        labels = jnp.where(named[None, :], f @ centroids.T, -jnp.inf).argmax(1)
        weights = jax.nn.one_hot(labels, c)
    return labels
