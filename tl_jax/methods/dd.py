"""Disparity discrepancy: the margin disparity of `mdd` where labels are values."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import gradient_reversal, supervised
from tl_jax.methods.contract import Example, Method, Own, Terms


def dd(margin: float = 1.0, hidden: int = 256) -> Method:
    """L = L_s + margin * mean |h(f_s) - g_s| - mean |h(f_t) - g_t|,  f reversed for h, g detached.

    The adversarial head h is near the network's own predictions g on the source and far from them on the target, which
    the features prevent: they receive -lam(p) times its gradient, lam(p) = lam * (2 / (1 + exp(-10 p)) - 1), lam = .1.
    Made for a regression, as `mdd` for classes. h is d-hidden-c beside the network's head. margin = 1. Zhang et al.
    2019, arXiv 1904.05801.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        sizes = (example.features.shape[-1], hidden, example.logits.shape[-1])
        return Own({"adversary": mlp.init(key, sizes)}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        def apart(domain: str) -> Array:
            f, g = gradient_reversal(out[domain].features, at.lam), jax.lax.stop_gradient(out[domain].logits)
            return jnp.abs(mlp.apply(own.params["adversary"], f) - g).mean()

        disparity = at.values["margin"] * apart("source") - apart("target")
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "disparity": disparity})

    return Method(
        terms,
        init,
        weights=lambda at: {"disparity": 1.0},
        values={"margin": margin},
        lam=0.1,
        lam_schedule="dann",
        regression=True,
    )
