"""Adaptive feature norm, stepwise: features of both domains grow."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms


def afn(step: float = 1.0) -> Method:
    """L = CE_s + lam * sum over domains of mean_i (||f_i|| - (||f_i|| detached + step))^2, lam = .05.

    The value is 2 step^2 whatever the features are: only its gradient means something. Xu et al. 2019,
    arXiv 1811.07456.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        def growth(features: Array) -> tuple[Array, Array]:
            norm = jnp.sqrt(jnp.maximum(jnp.square(features).sum(1), 1e-12))
            return jnp.square(norm - (jax.lax.stop_gradient(norm) + at.values["step"])).mean(), norm.mean()

        (loss_s, norm_s), (loss_t, norm_t) = (growth(out[name].features) for name in ("source", "target"))
        losses = {"source": supervised(out["source"].logits, batch.y, at), "growth": loss_s + loss_t}
        return Terms(losses, {"norm_source": norm_s, "norm_target": norm_t})

    return Method(terms, values={"step": step}, lam=0.05, regression=True)
