"""Efficient anti-forgetting test-time adaptation: certain and new examples alone, and what matters stays."""

import jax
import jax.numpy as jnp

from tl_jax.core.trees import flatten, moving_average, unflatten
from tl_jax.core.types import Array, At, Batch, Model, Network, Outputs, Tree
from tl_jax.losses.classes import cross_entropy, entropy
from tl_jax.methods.contract import NORMALISATION_ALONE, Example, Method, Own, Terms, View, by_own_batch, normalising


def eata(margin: float = 0.4, redundancy: float = 0.05, fisher: float = 2000.0, lr: float = 2.5e-4) -> Method:
    """L = mean_kept exp(E - H_i) H_i + fisher sum_j F_j (theta_j - theta0_j)^2; theta: scales, biases of normalisation.

    Kept are the reliable, H_i < E = margin ln c, of which the new: |cos(p_i, m)| < redundancy, m the moving average
    .9 m + .1 mean p_kept. The weight exp(E - H_i) carries no gradient. F: mean over batches of 64 of the squared
    gradient of CE(model, what it predicts itself), over examples of the source without their labels, before the
    stream. A batch of which nothing is kept moves towards theta0 alone. margin = .4, redundancy = .05, fisher = 2000,
    lr = 2.5e-4 are theirs on ImageNet-C (CIFAR-10-C: redundancy .4, fisher 1, lr .005). Niu et al. 2022,
    arXiv 2204.02610.
    """

    def kept(logits: Array, memory: Tree, at: At) -> Array:
        p, m = jax.nn.softmax(logits), memory["mean"]
        alike = jnp.abs(p @ m) / jnp.maximum(jnp.linalg.norm(p, axis=1) * jnp.linalg.norm(m), 1e-8)
        new = (alike < at.values["redundancy"]) | ~m.any()
        return (new & (entropy(logits) < at.values["margin"] * jnp.log(logits.shape[1]))).astype(p.dtype)

    def init(key: Array, example: Example, model: Model) -> Own:
        begun = normalising(model.params)
        none = jax.tree.map(jnp.zeros_like, begun)
        return Own({}, {"mean": jnp.zeros(example.logits.shape[1]), "begun": begun, "fisher": none})

    def refresh(network: Network, model: Model, x_t: Array, at: At) -> Tree:
        moving, params = normalising(model.params), flatten(model.params)

        def squared(x: Array) -> Tree:
            logits = lambda moved: network.apply(unflatten({**params, **moved}), model.stats, x, train=True)[0].logits
            told = logits(moving).argmax(1)
            slope = jax.grad(lambda moved: cross_entropy(logits(moved), told))(moving)
            return jax.tree.map(jnp.square, slope)

        size = min(64, len(x_t))
        batches = x_t[: len(x_t) // size * size].reshape(-1, size, *x_t.shape[1:])
        return {**model.memory, "fisher": jax.tree.map(lambda f: f.mean(0), jax.lax.map(squared, batches))}

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        logits, memory = out["target"].logits, own.memory
        h, mask = entropy(logits), kept(jax.lax.stop_gradient(logits), memory, at)
        weight = mask * jax.lax.stop_gradient(jnp.exp(at.values["margin"] * jnp.log(logits.shape[1]) - h))
        now = normalising(own.network)
        away = sum((memory["fisher"][path] * jnp.square(now[path] - memory["begun"][path])).sum() for path in now)
        entropies = (weight * h).sum() / jnp.maximum(mask.sum(), 1)
        return Terms({"entropy": entropies, "anchor": jnp.asarray(away)}, {"kept": mask.mean()})

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        logits, old = out["target"].logits, model.memory["mean"]
        mask = kept(logits, model.memory, at)
        mean = mask @ jax.nn.softmax(logits) / jnp.maximum(mask.sum(), 1)
        moved = jnp.where(old.any(), moving_average(old, mean, 0.9), mean)
        return {**model.memory, "mean": jnp.where(mask.any(), moved, old)}

    return Method(
        terms,
        init=init,
        views={"target": View("target")},
        weights=lambda at: {"entropy": 1.0, "anchor": at.values["fisher"]},
        values={"margin": margin, "redundancy": redundancy, "fisher": fisher, "lr": lr},
        lam=None,
        after=after,
        refresh=refresh,
        freeze=NORMALISATION_ALONE,
        predict=by_own_batch,
        labels="none",
    )
