"""No adaptation: the lower bound."""

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms, View


def source_only() -> Method:
    """Cross-entropy on the source: L = CE(g(x_s), y_s).

    The target passes through the network in the test alone, normalised by the statistics of the source: what the
    literature calls source-only. What a forward plan that shows the target to the statistics gains by itself, without
    any loss on the target, is the row of `adabn`.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        return Terms({"source": supervised(out["source"].logits, batch.y, at)})

    return Method(terms, lam=None, views={"source": View("source")}, regression=True)
