"""Virtual adversarial domain adaptation: an adversary, and boundaries that keep away from the targets."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import domain_logistic, entropy, supervised
from tl_jax.losses.examples.virtual import at_worst, unmoved
from tl_jax.methods.contract import Example, Method, Own, Terms


def vada(radius: float = 3.5, smooth: float = 1.0, target: float = 0.01, hidden: int = 100) -> Method:
    """L = CE_s + smooth * V_s + lam * L_D' + target * (mean H(p_t) + V_t);  a discriminator minimises L_D.

    V = mean_i -p_i . log p(x_i + r_i), p_i detached: r_i of length `radius` is the move of an input that changes its
    prediction most (`losses.virtual.worst`, where the authors take a difference of two passes). L_D is that of `dann`
    on constant features; features see a constant discriminator, the domains exchanged in L_D' (a gradient that does not
    fade). lam = .01, target = .01, smooth = 1. radius = 3.5 is of 32 x 32 x 3 inputs in [-1, 1]: .063 times the root of
    their number. Theirs also normalises each image, adds noise to features, and predicts by averaged weights
    (--ema=.998). Token ids are refused. Shu et al. 2018, arXiv 1802.08735.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        return Own({"discriminator": mlp.init(key, (example.features.shape[-1], hidden, 1))}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        s, t = out["source"], out["target"]
        judge, still = own.params["discriminator"], jax.lax.stop_gradient
        score = lambda params, f: mlp.apply(params, f)[:, 0]
        said = [score(judge, still(x.features)) for x in (s, t)]
        seen = [score(still(judge), x.features) for x in (s, t)]
        x = {"source": jnp.concatenate([one.x for one in batch.sources]), "target": batch.target.x}
        moved = at_worst(own.moved, x, at.key, at.values["radius"])
        return Terms(
            {
                "classes": supervised(s.logits, batch.y, at),
                "domain": domain_logistic(*said),
                "confusion": domain_logistic(*reversed(seen)),
                "smooth_source": unmoved(s.logits, moved["source"].logits),
                "smooth_target": unmoved(t.logits, moved["target"].logits),
                "entropy": entropy(t.logits).mean(),
            }
        )

    def weights(at: At) -> dict[str, Array | float]:
        of_target = dict.fromkeys(("smooth_target", "entropy"), at.values["target"])
        return {"classes": 1.0, "domain": 1.0, "smooth_source": at.values["smooth"], **of_target}

    values = {"radius": radius, "smooth": smooth, "target": target}
    return Method(terms, init, weights=weights, values=values, lam=0.01)
