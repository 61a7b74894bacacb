"""Pseudo-labels: the network's own confident predictions as labels."""

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import pseudo_label_loss, supervised
from tl_jax.methods.contract import Method, Own, Terms


def pseudo_label(threshold: float = 0.95) -> Method:
    """L = CE_s + lam * (1/m) sum [max p >= threshold] CE(g_t, argmax p), the label detached; lam rises linearly.

    Lee 2013 (ICML workshop on challenges in representation learning), there without a threshold.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        logits = out["target"].logits
        loss, mask = pseudo_label_loss(logits, logits, at.values["threshold"])
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "pseudo": loss}, {"mask_rate": mask})

    return Method(terms, values={"threshold": threshold}, lam_schedule="linear")
