"""FlexMatch: FixMatch with a threshold for every class."""

import jax
import jax.numpy as jnp

from tl_jax.core.batching import in_batches
from tl_jax.core.types import Array, At, Batch, Model, Network, Outputs, Tree
from tl_jax.losses.classes import pseudo_label_loss, supervised
from tl_jax.methods.contract import Method, Own, Terms, View


def flexmatch(threshold: float = 0.95) -> Method:
    """L = CE_s + lam * (1/m) sum [max q >= threshold * T(argmax q)] CE(strong view, argmax q), q from the weak view.

    T(k) = b_k / (2 - b_k), b_k = n_k / max(max_j n_j, n_0): n_k targets are known as class k, which is to say with
    p > threshold, and n_0 are known as none. A class that few are known of is given a lower threshold. The n are
    counted over all targets once per pass and before step 0, in the plain view (the authors': as each was last seen).
    q is detached. threshold = .95, lam = 1. Zhang et al. 2021, arXiv 2110.08263.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        weak, strong = out["target"].logits, out["target_strong"].logits
        least = at.values["threshold"] * own.memory["share"][weak.argmax(1)]
        loss, mask = pseudo_label_loss(strong, weak, least)
        return Terms(
            {"source": supervised(out["source"].logits, batch.y, at), "consistency": loss}, {"mask_rate": mask}
        )

    def refresh(network: Network, model: Model, x_t: Array, at: At) -> Tree:
        p = in_batches(lambda x: jax.nn.softmax(network.apply(model.params, model.stats, x)[0].logits), x_t)
        known = p.max(1) > at.values["threshold"]
        count = (known[:, None] * jax.nn.one_hot(p.argmax(1), p.shape[1])).sum(0)
        b = count / jnp.maximum(1.0, jnp.maximum(count.max(), (~known).sum()))
        return {"share": (b / (2 - b)).astype(p.dtype)}

    views = {
        "source": View("source", "weak"),
        "target": View("target", "weak"),
        "target_strong": View("target", "strong"),
    }
    return Method(terms, views=views, values={"threshold": threshold}, refresh=refresh)
