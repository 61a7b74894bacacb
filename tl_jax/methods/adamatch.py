"""AdaMatch: FixMatch with aligned class frequencies and a relative threshold."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import cross_entropies, supervised
from tl_jax.methods.contract import Method, Own, Terms, View


def adamatch(threshold: float = 0.9) -> Method:
    """L = (CE_s weak + CE_s strong) / 2 + lam(p) * (1/m) sum [max q >= tau] CE(target strong, argmax q).

    q ~ softmax(target weak) * (mean p_s + 1e-6) / (mean p_t + 1e-6), renormalised; tau = threshold * mean of
    max p_s; all detached, all means over the batch (the published code averages over earlier batches too).
    lam(p) rises as half a cosine until p = 1/2. The published logit interpolation is the forward plan
    `source_then_joint`, not the default one: without it the source's logits are those of its own pass. Also apart from
    the published code: the last weights predict, not their average of decay .999; three times as many targets as
    sources in a batch, as many here unless --target_batch_size says so. Berthelot et al. 2022, arXiv 2106.04732.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        weak, strong = out["source"].logits, out["source_strong"].logits
        p_s, p_t = (jax.lax.stop_gradient(jax.nn.softmax(g)) for g in (weak, out["target"].logits))
        q = p_t * (p_s.mean(0, keepdims=True) + 1e-6) / (p_t.mean(0, keepdims=True) + 1e-6)
        q = q / q.sum(1, keepdims=True)
        mask = (q.max(1) >= at.values["threshold"] * p_s.max(1).mean()).astype(q.dtype)
        loss = (mask * cross_entropies(out["target_strong"].logits, q.argmax(1))).mean()
        labelled = (supervised(weak, batch.y, at) + supervised(strong, batch.y, at)) / 2
        return Terms({"source": labelled, "consistency": loss}, {"mask_rate": jnp.mean(mask)})

    views = {
        f"{domain}{suffix}": View(domain, augment)
        for domain in ("source", "target")
        for suffix, augment in (("", "weak"), ("_strong", "strong"))
    }
    return Method(terms, views=views, values={"threshold": threshold}, lam_schedule="half_cosine")
