"""Importance weighted adversarial nets: source examples that no target resembles count little."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import domain_logistic, entropy, gradient_reversal, supervised
from tl_jax.methods.contract import Example, Method, Own, Terms


def iwan(penalty: float = 0.1, hidden: int = 256) -> Method:
    """L = CE_s + penalty * mean H(p_t) + L_D(f_s, f_t) + L_D(r(f_s), r(f_t); w(f_s)),  w = 1 - D(f_s), of mean 1.

    Of two discriminators the first is trained without the features noticing, and says how likely an example of the
    source is one of the target: the weight, detached, of source examples for the second, whose gradient is reversed
    (r) as in `dann`. Made for a target that has some classes of the source (partial transfer), and for covariate
    shift. One network serves both domains, where the paper's source extractor is trained first and kept.
    penalty = .1, lam = .3 as `dann`. Zhang et al. 2018, arXiv 1803.09210.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        sizes = (example.features.shape[-1], hidden, hidden, 1)
        keys = dict(zip(("weighing", "discriminator"), jax.random.split(key), strict=True))
        return Own({name: mlp.init(k, sizes) for name, k in keys.items()}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        f_s, f_t = out["source"].features, out["target"].features
        score = lambda name, x: mlp.apply(own.params[name], x)[:, 0]
        seen_s, seen_t = (score("weighing", jax.lax.stop_gradient(f)) for f in (f_s, f_t))
        odds = jax.lax.stop_gradient(jax.nn.sigmoid(-seen_s))
        w = odds / jnp.maximum(odds.mean(), 1e-6)
        adversary = lambda f: score("discriminator", gradient_reversal(f, at.lam))
        return Terms(
            {
                "source": supervised(out["source"].logits, batch.y, at),
                "weighing": domain_logistic(seen_s, seen_t),
                "domain": domain_logistic(adversary(f_s), adversary(f_t), w),
                "entropy": entropy(out["target"].logits).mean(),
            }
        )

    return Method(
        terms,
        init,
        weights=lambda at: {"domain": 1.0, "weighing": 1.0, "entropy": at.values["penalty"]},
        values={"penalty": penalty},
        lam=0.3,
        lam_schedule="dann",
    )
