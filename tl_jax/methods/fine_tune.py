"""Supervised training on the target's labels: fine-tuning."""

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms, View


def fine_tune() -> Method:
    """L_T = CE(g(x_t), y_t); what moves is the strategy's affair."""

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        return Terms({"source": supervised(out["source"].logits, batch.y, at)})

    return Method(terms, views={"source": View("source")}, lam=None, labels="target", regression=True)
