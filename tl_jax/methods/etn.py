"""Example transfer network: source examples weigh what an auxiliary classifier says of their likeness to the target."""

import math

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import domain_logistic, entropy, gradient_reversal, supervised_each
from tl_jax.methods.contract import Example, Method, Own, Terms


def etn(penalty: float = 0.2, hidden: int = 256) -> Method:
    """L = (1/n) sum_i w_i CE_i + penalty * mean H(p_t) + L_D(r(f_s), r(f_t); w),  w = 1 - d(f_s), of mean 1, detached.

    The auxiliary classifier has p_k = exp(z_k) / (K + sum_j exp(z_j)) and d = sum_k p_k, how sure it is of a class of
    the source at all. It learns, without the features noticing, each class against the rest on the source, and d = 1 on
    the source, 0 on the target, at ten times the weight. r reverses the gradient as in `dann`, lam = .3. For a target
    that has some classes of the source. penalty = .2 (Office-Home). Cao et al. 2019, arXiv 1903.12230.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        d, c = example.features.shape[-1], example.logits.shape[-1]
        outputs = zip(("weighing", "discriminator"), (c, 1), jax.random.split(key), strict=True)
        return Own({name: mlp.init(k, (d, hidden, hidden, n)) for name, n, k in outputs}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        f_s, f_t = out["source"].features, out["target"].features
        z_s, z_t = (mlp.apply(own.params["weighing"], jax.lax.stop_gradient(f)) for f in (f_s, f_t))
        likeness = lambda z: jax.nn.logsumexp(z, axis=1) - math.log(z.shape[1])
        unlike = jax.lax.stop_gradient(jax.nn.sigmoid(-likeness(z_s)))
        w = unlike / jnp.maximum(unlike.mean(), 1e-6)
        adversary = lambda f: mlp.apply(own.params["discriminator"], gradient_reversal(f, at.lam))[:, 0]
        return Terms(
            {
                "weighted": (w * supervised_each(out["source"].logits, batch.y, at)).mean(),
                "domain": domain_logistic(adversary(f_s), adversary(f_t), w),
                "entropy": entropy(out["target"].logits).mean(),
                "classes": one_against_rest(z_s, batch.y).mean(),
                "likeness": domain_logistic(likeness(z_s), likeness(z_t)),
            }
        )

    once = dict.fromkeys(("weighted", "domain", "classes"), 1.0)
    return Method(
        terms,
        init,
        # Half of the sum of two cross-entropies is what `domain_logistic` gives.
        weights=lambda at: {**once, "likeness": 20.0, "entropy": at.values["penalty"]},
        values={"penalty": penalty},
        lam=0.3,
        lam_schedule="dann",
    )


def one_against_rest(z: Array, y: Array) -> Array:
    """-log p_y - sum_{k != y} log(1 - p_k), [n], of the auxiliary classifier's p [n, K]."""
    mine, first = (jax.nn.one_hot(k, z.shape[1], dtype=bool) for k in (y, z.argmax(1)))
    leak = jnp.full((len(z), 1), math.log(z.shape[1]), z.dtype)
    total = lambda z: jax.nn.logsumexp(jnp.concatenate([z, leak], axis=1), axis=1, keepdims=True)
    log_p = z - total(z)
    # Only the greatest may come near 1: its rest is summed, not subtracted.
    rest_of_first = total(jnp.where(first, -jnp.inf, z)) - total(z)
    log_rest = jnp.where(first, rest_of_first, jnp.log1p(-jnp.exp(jnp.where(first, -1.0, log_p))))
    return -jnp.where(mine, log_p, log_rest).sum(1)
