"""Cycle self-training: what is learnt from the target's pseudo-labels must be right on the source."""

import jax
import jax.numpy as jnp

from tl_jax.core.matrices import inverse
from tl_jax.core.types import Array, At, Batch, Outputs
from tl_jax.losses.classes import entropy, pseudo_label_loss, supervised
from tl_jax.losses.neighbours import unit
from tl_jax.losses.sharpness import uphill
from tl_jax.methods.contract import Method, Own, Terms, View


def cst(
    tsallis: float = 0.08, strong: float = 0.5, temperature: float = 2.0, threshold: float = 0.97, rho: float = 0.5
) -> Method:
    """L = CE_s + lam * mean |K_st (K_tt + .001 I)^-1 Y_t - Y_s|^2 + tsallis * T_1.9(p_t) + strong * FixMatch_t.

    The first term after CE is the cycle: a head solved on the target, whose labels Y_t the network says, is asked for
    the source's, Y_s (one-hot, less 1/c); K: cosines of features. T_a = (c - sum_ik w_i p_ik^a / sum_j w_j p_jk) /
    (a - 1) of p = softmax(g / temperature), w as in `mcc`. All of it at theta + rho g / |g|, g its gradient
    (sharpness-aware). lam = .5 and the rest as their code's defaults (there 2, .015 and 2.5 on Office-Home); features
    are the network's last, theirs those before the bottleneck. Liu et al. 2021, arXiv 2103.03571.
    """

    def weights(at: At) -> dict[str, Array | float]:
        return {"classes": 1.0, "cycle": at.lam, "tsallis": at.values["tsallis"], "strong": at.values["strong"]}

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        def losses(out: Outputs) -> dict[str, Array]:
            s, t = out["source"], out["target"]
            return {
                "classes": supervised(s.logits, batch.y, at),
                "cycle": cycle((s.features, t.features), batch.y, t.logits),
                "tsallis": tsallis_entropy(t.logits / at.values["temperature"]),
                "strong": pseudo_label_loss(out["target_strong"].logits, t.logits, at.values["threshold"])[0],
            }

        whole = lambda out: sum((weights(at)[name] * loss for name, loss in losses(out).items()), jnp.zeros(()))
        return Terms(losses(own.lookahead(whole, uphill(at.values["rho"]))))

    views = {"source": View("source"), "target": View("target"), "target_strong": View("target", "strong")}
    values = {"tsallis": tsallis, "strong": strong, "temperature": temperature, "threshold": threshold, "rho": rho}
    return Method(terms, views=views, weights=weights, values=values, lam=0.5)


def cycle(features: tuple[Array, Array], y_s: Array, logits_t: Array, ridge: float = 1e-3) -> Array:
    """The mean squared error on the source of kernel ridge regression on the target: features ([n, d], [m, d])."""
    (f_s, f_t), c = map(unit, features), logits_t.shape[1]
    labels = lambda y: jax.nn.one_hot(y, c, dtype=f_s.dtype) - 1 / c
    kernel = f_t @ f_t.T + ridge * jnp.eye(len(f_t), dtype=f_t.dtype)
    found = f_s @ f_t.T @ (inverse(kernel) @ labels(logits_t.argmax(1)))
    return jnp.square(found - labels(y_s)).mean()


def tsallis_entropy(logits: Array, order: float = 1.9) -> Array:
    """Of predictions [n, c], examples weighed by their certainty and classes evened out: a scalar."""
    log_p, log_w = jax.nn.log_softmax(logits), jnp.log1p(jnp.exp(-jax.lax.stop_gradient(entropy(logits))))
    # In logarithms: a class that no example is of would divide by zero. The scale of w cancels.
    share = order * log_p + log_w[:, None] - jax.nn.logsumexp(log_p + log_w[:, None], axis=0)[None]
    return (logits.shape[1] - jnp.exp(share).sum()) / (order - 1)
