"""Balanced adversarial alignment and uncertainty suppression: a partial target is filled up with source examples."""

import math

import jax
import jax.numpy as jnp

from tl_jax.core.batching import in_batches
from tl_jax.core.types import Array, At, Batch, Model, Network, Outputs, Tree
from tl_jax.losses import mlp
from tl_jax.losses.classes import entropy, gradient_reversal, supervised_each
from tl_jax.methods.contract import Example, Method, Own, Terms


def ba3us(share: float = 0.25, penalty: float = 0.1, suppression: float = 1.0, hidden: int = 256) -> Method:
    """L = sum_i w_i CE_i / sum w + penalty * mean H(p_t) + suppression * U + L_D(r(f_s), r(f_t) and r(f_m)).

    w_i = g[y_i] with g = mean p_t over all targets, once per pass. m: a part share * (1 - progress) of the source's
    batch, which counts as target, too, so that the adversary has nothing to win by moving the target to classes that it
    lacks (the authors draw others of the source). Weights in L_D: v = 1 + exp(-H), times w on the source; those of s
    and m of sum 1 + share * (1 - progress), those of t of sum 1; detached. U = sum_i u_i sum_{k != y} q_k log q_k /
    log(K - 1), q_k = p_k / (1 - p_y), u ~ w_i (1 - p_y), detached: wrong classes are to be equally wrong. r reverses
    the gradient as in `dann`, lam = .3. share = 1/4, penalty = .1, suppression = 1 (Office-Home; 5 on Office-31).
    Liang et al. 2020, arXiv 2003.02541.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        return Own({"discriminator": mlp.init(key, (example.features.shape[-1], hidden, hidden, 1))}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        s, t, w = out["source"], out["target"], own.memory["classes"][batch.y]
        part = share * (1 - at.progress)
        middle = (jnp.arange(len(w)) < jnp.floor(part * len(w))).astype(w.dtype)
        v_s, v_t = (1 + jnp.exp(-entropy(jax.lax.stop_gradient(o.logits))) for o in (s, t))
        score = lambda o: mlp.apply(own.params["discriminator"], gradient_reversal(o.features, at.lam))[:, 0]
        d_s, d_t = score(s), score(t)
        added = middle.mean()
        over = (v_s * w * (1 + middle)).sum()
        as_source = (v_s * w * (jax.nn.softplus(-d_s) + middle * jax.nn.softplus(d_s))).sum() / over
        domain = (1 + added) * as_source + (v_t * jax.nn.softplus(d_t)).sum() / v_t.sum()
        return Terms(
            {
                "weighted": (w * supervised_each(s.logits, batch.y, at)).sum() / w.sum(),
                "domain": domain / (2 + added),
                "penalty": entropy(t.logits).mean(),
                "suppression": wrong_ones(s.logits, batch.y, w),
            }
        )

    def refresh(network: Network, model: Model, x_t: Array, at: At) -> Tree:
        p = in_batches(lambda x: jax.nn.softmax(network.apply(model.params, model.stats, x)[0].logits), x_t)
        return {"classes": p.mean(0)}

    values = {"penalty": penalty, "suppression": suppression}
    return Method(
        terms,
        init,
        weights=lambda at: {"weighted": 1.0, "domain": 1.0} | {name: at.values[name] for name in values},
        values=values,
        lam=0.3,
        lam_schedule="dann",
        refresh=refresh,
    )


def wrong_ones(logits: Array, y: Array, w: Array) -> Array:
    """U of logits [n, K], labels [n] and weights [n]."""
    mine = jax.nn.one_hot(y, logits.shape[1], dtype=bool)
    wrong = jnp.where(mine, -jnp.inf, logits)
    log_q = jnp.where(mine, 0.0, wrong - jax.nn.logsumexp(wrong, axis=1, keepdims=True))
    sure = jnp.where(mine, 0.0, jnp.exp(log_q) * log_q).sum(1) / math.log(max(logits.shape[1] - 1, 2))
    u = jax.lax.stop_gradient(w * jnp.where(mine, 0.0, jax.nn.softmax(logits)).sum(1))
    return (u * sure).sum() / jnp.maximum(u.sum(), 1e-12)
