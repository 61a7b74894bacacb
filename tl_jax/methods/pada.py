"""Partial adversarial domain adaptation: source classes that the target lacks count little."""

import jax
import jax.numpy as jnp

from tl_jax.core.batching import in_batches
from tl_jax.core.types import Array, At, Batch, Model, Network, Outputs, Tree
from tl_jax.losses import mlp
from tl_jax.losses.classes import domain_logistic, gradient_reversal, supervised_each
from tl_jax.methods.contract import Example, Method, Own, Terms


def pada(hidden: int = 256) -> Method:
    """L = (1/n) sum_i w_i CE_i + L_D(r(f_s), r(f_t); w),  w_i = g[y_i],  g = mean_t p_t / max_k mean_t p_tk.

    g [c] is the target's mean prediction, computed over all targets once per pass and before step 0: a class that no
    target seems to have fades out of both losses on the source. r reverses the gradient as in `dann`, lam = .3.
    Cao et al. 2018, arXiv 1808.04205.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        return Own({"discriminator": mlp.init(key, (example.features.shape[-1], hidden, hidden, 1))}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        w = own.memory["classes"][batch.y]
        score = lambda o: mlp.apply(own.params["discriminator"], gradient_reversal(o.features, at.lam))[:, 0]
        supervised = (w * supervised_each(out["source"].logits, batch.y, at)).mean()
        return Terms({"weighted": supervised, "domain": domain_logistic(score(out["source"]), score(out["target"]), w)})

    def refresh(network: Network, model: Model, x_t: Array, at: At) -> Tree:
        p = in_batches(lambda x: jax.nn.softmax(network.apply(model.params, model.stats, x)[0].logits), x_t)
        mean = p.mean(0)
        return {"classes": mean / jnp.max(mean)}

    return Method(
        terms, init, weights=lambda at: {"weighted": 1.0, "domain": 1.0}, lam=0.3, lam_schedule="dann", refresh=refresh
    )
