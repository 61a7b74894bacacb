"""FreeMatch: FixMatch with thresholds that follow the training, and fair use of the classes."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Model, Outputs, Tree
from tl_jax.losses.classes import pseudo_label_loss, supervised
from tl_jax.methods.contract import Example, Method, Own, Terms, View


def freematch(decay: float = 0.999, fairness: float = 0.01) -> Method:
    """L = CE_s + lam * (1/m) sum [max q >= T(argmax q)] CE(strong view, argmax q) + lam * fairness * F.

    T(k) = tau * e_k / max e: tau and e are moving averages of max q and of q over steps, both 1/c at first, q from the
    weak view, detached. F = sum_k n(e / h)_k log n(s / h_s)_k: s is the mean prediction of the strong view where q
    passes, h_s the share of its labels, h the moving share of the labels argmax q, and n divides by the sum; classes
    without a label are left out. It is the less the more s differs from e. decay = .999, fairness = .01, lam = 1.
    Wang et al. 2023, arXiv 2205.07246.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        c = example.logits.shape[-1]
        even = jnp.ones(c) / c  # no weak type: that would compile the run twice
        return Own({}, {"tau": jnp.ones(()) / c, "mean": even, "labels": even})

    def seen(memory: Tree, weak: Array, decay: Array) -> Tree:
        q = jax.nn.softmax(jax.lax.stop_gradient(weak))
        labels = jax.nn.one_hot(q.argmax(1), q.shape[1]).mean(0)
        new = {"tau": q.max(1).mean(), "mean": q.mean(0), "labels": labels}
        return {name: (decay * memory[name] + (1 - decay) * x).astype(memory[name].dtype) for name, x in new.items()}

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        weak, strong = out["target"].logits, out["target_strong"].logits
        now = seen(own.memory, weak, at.values["decay"])
        least = now["tau"] * now["mean"] / now["mean"].max()
        loss, mask = pseudo_label_loss(strong, weak, least[weak.argmax(1)])
        passes = jax.nn.softmax(weak).max(1) >= least[weak.argmax(1)]
        losses = {"source": supervised(out["source"].logits, batch.y, at), "consistency": loss}
        return Terms({**losses, "fairness": fair(now, strong, passes)}, {"mask_rate": mask, "tau": now["tau"]})

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        return seen(model.memory, out["target"].logits, at.values["decay"])

    views = {
        "source": View("source", "weak"),
        "target": View("target", "weak"),
        "target_strong": View("target", "strong"),
    }
    return Method(
        terms,
        init,
        views=views,
        weights=lambda at: {"fairness": at.lam * at.values["fairness"]},
        values={"decay": decay, "fairness": fairness},
        after=after,
    )


def fair(now: Tree, strong: Array, passes: Array) -> Array:
    """F of `freematch`: now: the moving averages; strong [m, c] logits; passes [m] bool. 0 where none passes."""
    p = jax.nn.softmax(strong)
    count = jnp.maximum(passes.sum(), 1)
    s = jnp.where(passes[:, None], p, 0.0).sum(0) / count
    h_s = jnp.where(passes[:, None], jax.nn.one_hot(p.argmax(1), p.shape[1]), 0.0).sum(0) / count
    share = lambda x: x / jnp.maximum(x.sum(), 1e-12)
    by = lambda x, h: share(jnp.where(h > 0, x / jnp.where(h > 0, h, 1.0), 0.0))
    return (by(now["mean"], now["labels"]) * jnp.log(by(s, h_s) + 1e-12)).sum() * passes.any()
