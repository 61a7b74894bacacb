"""The objective itself with labels on both sides."""

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms, View


def joint() -> Method:
    """L = L_S + lam * L_T, cross-entropies of the labelled source and the labelled part of the target; lam = 1.

    Source and target share the head, so they must have the same classes. Daume 2007, arXiv 0907.1815, as the
    baseline "weighted".
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        logits, m = out["source"].logits, len(batch.sources[-1].y)
        n = len(logits) - m
        losses = {"source": supervised(logits[:n], batch.y[:n], at), "target": supervised(logits[n:], batch.y[n:], at)}
        return Terms(losses)

    return Method(terms, views={"source": View("source")}, labels="both", regression=True)
