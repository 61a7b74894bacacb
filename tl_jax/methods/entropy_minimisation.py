"""Entropy minimisation: confident predictions on the target."""

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import entropy, supervised
from tl_jax.methods.contract import Method, Own, Terms


def entropy_minimisation() -> Method:
    """L = CE_s + lam * mean H(p_t), lam = .1 (Grandvalet & Bengio 2005, NIPS 17)."""

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        certain = entropy(out["target"].logits).mean()
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "entropy": certain})

    return Method(terms, lam=0.1)
