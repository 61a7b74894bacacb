"""No adaptation: the lower bound."""

from tl_jax.core.losses import supervised
from tl_jax.methods.base import Method, Terms


def source_only(smoothing: float = 0.0) -> Method:
    """Cross-entropy on the source: L = CE(g(x_s), y_s), with label smoothing on request.

    The target passes through batch normalisation as the forward plan says, exactly as it does for the
    methods that are compared with it.
    """

    def terms(own, out, batch, at):
        return Terms({"source": supervised(out["source"].logits, batch.y, smoothing)})

    return Method(terms, lam=None, regression=True)
