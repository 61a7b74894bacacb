"""FixMatch, its unlabelled part on the target."""

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import pseudo_label_loss, supervised
from tl_jax.methods.contract import Method, Own, Terms, View


def fixmatch(threshold: float = 0.95) -> Method:
    """L = CE_s + lam * (1/m) sum [max q >= threshold] CE(strong view, argmax q), q from the weak view, detached.

    Sohn et al. 2020, arXiv 2001.07685. Sources are seen in the weak view, targets in both. With the forward
    plan `joint` the strong views share batch statistics with everything else: `separate` suits it better. Apart from
    the published code: as many targets as sources in a batch, not seven times as many; the last weights predict, not
    their moving average; "strong" is the view of data/views/augment.py, not RandAugment.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        loss, mask = pseudo_label_loss(out["target_strong"].logits, out["target"].logits, at.values["threshold"])
        return Terms(
            {"source": supervised(out["source"].logits, batch.y, at), "consistency": loss}, {"mask_rate": mask}
        )

    views = {
        "source": View("source", "weak"),
        "target": View("target", "weak"),
        "target_strong": View("target", "strong"),
    }
    return Method(terms, views=views, values={"threshold": threshold})
