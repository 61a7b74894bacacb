"""Class-balanced self-training."""

import jax
import jax.numpy as jnp

from tl_jax.core.batching import in_batches
from tl_jax.core.types import Array, At, Batch, Model, Network, Outputs, Tree
from tl_jax.losses.classes import cross_entropies, supervised
from tl_jax.methods.contract import Method, Own, Terms


def cbst(first: float = 0.2, last: float = 0.5) -> Method:
    """L = CE_s + lam * (1/m) sum_i [i chosen] CE(g_i, label_i): of every class the same share of its surest targets.

    label_i = argmax p_i over all targets, once per pass and before step 0; chosen of those labelled k are the
    r = first + (last - first) * progress of greatest p_ik, at least one. A threshold common to all classes would take
    the easy ones alone. first = .2, last = .5, lam = 1; the paper begins from a source model, grows by .05 a round and
    labels argmax p_k / threshold_k. Zou et al. 2018, arXiv 1810.07911.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        label, chosen = (own.memory[name][batch.target.index] for name in ("label", "chosen"))
        pseudo = (chosen * cross_entropies(out["target"].logits, label)).mean()
        losses = {"source": supervised(out["source"].logits, batch.y, at), "pseudo": pseudo}
        return Terms(losses, {"chosen": chosen.mean()})

    def refresh(network: Network, model: Model, x_t: Array, at: At) -> Tree:
        p = in_batches(lambda x: jax.nn.softmax(network.apply(model.params, model.stats, x)[0].logits), x_t)
        share = at.values["first"] + (at.values["last"] - at.values["first"]) * at.progress
        label = p.argmax(1)
        return {"label": label, "chosen": surest(label, p.max(1), p.shape[1], share).astype(p.dtype)}

    return Method(terms, values={"first": first, "last": last}, refresh=refresh)


def surest(label: Array, certainty: Array, classes: int, share: Array) -> Array:
    """Which examples [m] are among the share of greatest certainty of those with their label; of each at least one.

    label [m] in 0..classes-1, certainty [m], share scalar. Among equals the earlier example comes first.
    """
    order = jnp.lexsort((-certainty, label))
    count = jnp.zeros(classes, jnp.int32).at[label].add(1)
    begins = jnp.cumsum(count) - count
    sorted_label = label[order]
    place = jnp.arange(len(label)) - begins[sorted_label]
    taken = place < jnp.maximum(1, jnp.floor(share * count))[sorted_label]
    return jnp.zeros(len(label), bool).at[order].set(taken)
