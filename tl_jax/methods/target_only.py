"""Supervised training on the target: the upper bound."""

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms


def target_only() -> Method:
    """Cross-entropy on the target's training labels: what adaptation could reach at best with this network.

    A bound, not a method of adaptation: of those it alone is given all target labels, in the place of the source.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        return Terms({"source": supervised(out["source"].logits, batch.y, at)})

    return Method(terms, lam=None, labels="target", regression=True)
