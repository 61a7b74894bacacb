"""Supervised training on the target's labels: fine-tuning."""

from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Terms, View


def fine_tune(smoothing: float = 0.0) -> Method:
    """L_T = CE(g(x_t), y_t), with label smoothing on request; what moves is the strategy's affair."""

    def terms(own, out, batch, at):
        return Terms({"source": supervised(out["source"].logits, batch.y, smoothing)})

    return Method(terms, views={"source": View("source")}, lam=None, labels="target", regression=True)
