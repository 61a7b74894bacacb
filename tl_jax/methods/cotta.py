"""Continual test-time adaptation: a slow teacher, and weights that find back."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from tl_jax.core.keys import named
from tl_jax.core.trees import flatten, moving_average, unflatten
from tl_jax.core.types import Array, At, Batch, Model, Network, Output, Outputs, Tree
from tl_jax.methods.contract import Example, Method, Own, Restored, Terms, View


def cotta(
    decay: float = 0.999,
    threshold: float = 0.92,
    share: float = 0.01,
    views: int = 4,
    view: str = "strong",
    lr: float = 1e-3,
) -> Method:
    """L = -mean_i sum_k q_ik log p_ik: the student p follows the teacher q, its moving average (decay .999).

    q: the softmax of the teacher's logits, or of their mean over `views` varied copies where the source model's mean
    confidence on the batch is under the threshold. After a step each weight is put back to the source's with
    probability `share`. All weights move; the teacher predicts, by the batch's statistics. decay = .999, threshold =
    .92, share = .01, lr = 1e-3 as for CIFAR-10-C (threshold .1 for ImageNet-C). By choice otherwise: 4 views (theirs:
    32) of the project's own kind, and what is predicted is the teacher's plain pass (theirs: the mean of views, where
    one is taken). Wang et al. 2022, arXiv 2203.13591.
    """
    copies = [f"copy{i}" for i in range(views)]

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        unsure = jax.nn.softmax(out["source"].logits).max(-1).mean() < at.values["threshold"]
        mean = sum(out[name].logits for name in copies) / len(copies)
        q = jax.nn.softmax(jnp.where(unsure, mean, out["teacher"].logits))
        log_p = jax.nn.log_softmax(out["target"].logits)
        return Terms({"consistency": -(q * log_p).sum(-1).mean()}, {"unsure": unsure.astype(log_p.dtype)})

    def init(key: Array, example: Example, model: Model) -> Own:
        now = {"params": model.params, "stats": model.stats}
        return Own({}, {"teacher": now, "source": now})

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        now = {"params": model.params, "stats": model.stats}
        return {**model.memory, "teacher": moving_average(model.memory["teacher"], now, at.values["decay"])}

    def restore(model: Model, logged: Mapping[str, Array], at: At) -> Restored:
        source, back = flatten(model.memory["source"]["params"]), {}
        for path, x in flatten(model.params).items():
            hit = jax.random.bernoulli(named(at.key, f"restore {path}"), at.values["share"], x.shape)
            back[path] = jnp.where(hit, source[path], x)
        return Restored(unflatten(back), model.memory)

    def predict(network: Network, model: Model, x: Array, domain: str) -> Output:
        return network.apply(model.memory["teacher"]["params"], model.stats, x, train=True)[0]

    of = lambda name: lambda memory: (memory[name]["params"], memory[name]["stats"])
    return Method(
        terms,
        init=init,
        views={
            "target": View("target"),
            "teacher": View("target", weights=of("teacher")),
            "source": View("target", weights=of("source")),
            **{name: View("target", view, weights=of("teacher")) for name in copies},
        },
        weights=lambda at: {"consistency": 1.0},
        values={"decay": decay, "threshold": threshold, "share": share, "lr": lr, "weight_decay": 0.0},
        lam=None,
        after=after,
        restore=restore,
        predict=predict,
        labels="none",
    )
