"""Deep CORAL: align second-order statistics."""

from tl_jax.core.errors import require
from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.losses.discrepancy import coral, coral_mean
from tl_jax.methods.contract import Method, Own, Terms


def deep_coral(form: str = "paper") -> Method:
    """L = CE_s + lam * CORAL (Sun & Saenko 2016, arXiv 1607.01719).

    form="paper": ||C_s - C_t||_F^2 / (4 d^2) of the logits; form="tllib": mean squared difference of the
    covariances plus that of the means, of the features.
    """
    require("form of deep_coral", form, ("paper", "tllib"))

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        s, t = out["source"], out["target"]
        distance = coral(s.logits, t.logits) if form == "paper" else coral_mean(s.features, t.features)
        return Terms({"source": supervised(s.logits, batch.y, at), "coral": distance})

    return Method(terms, regression=True)
