"""Margin disparity discrepancy: an adversarial head disagrees on the target alone."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import cross_entropy, gradient_reversal, supervised
from tl_jax.methods.contract import Example, Method, Own, Terms


def mdd(margin: float = 4.0, hidden: int = 256) -> Method:
    """L = CE_s + margin * CE(h(f_s), argmax g_s) - mean log(1 - softmax(h(f_t))[argmax g_t]), f reversed for h.

    The adversarial head h learns at full weight, the features receive -lam(p) times its gradient, lam(p) = lam *
    (2 / (1 + exp(-10 p)) - 1), lam = .1: the authors' in a run of 10,000 steps. h is d-hidden-c beside the network's
    own head, where they have two equal heads d-1024-c with dropout. Zhang et al. 2019, arXiv 1904.05801.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        sizes = (example.features.shape[-1], hidden, example.logits.shape[-1])
        return Own({"adversary": mlp.init(key, sizes)}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        adversary = lambda o: mlp.apply(own.params["adversary"], gradient_reversal(o.features, at.lam))
        s, t = out["source"], out["target"]
        agree = cross_entropy(adversary(s), s.logits.argmax(1))
        other = adversary(t)
        named = jax.nn.one_hot(t.logits.argmax(1), other.shape[1], dtype=bool)
        # log(1 - p_y) = log sum_{k != y} p_k: no subtraction from 1, no clipping.
        rest = jax.nn.logsumexp(jnp.where(named, -jnp.inf, other), axis=1) - jax.nn.logsumexp(other, axis=1)
        disparity = at.values["margin"] * agree - rest.mean()
        return Terms({"source": supervised(s.logits, batch.y, at), "disparity": disparity})

    return Method(
        terms,
        init,
        weights=lambda at: {"disparity": 1.0},
        values={"margin": margin},
        lam=0.1,
        lam_schedule="dann",
    )
