"""Conditional domain-adversarial network."""

import jax
import jax.numpy as jnp

from tl_jax.core.errors import require
from tl_jax.core.types import Array, At, Batch, Model, Output, Outputs, Tree
from tl_jax.losses import classes, mlp
from tl_jax.methods.contract import Example, Method, Own, Terms

LARGEST_OUTER_PRODUCT = 4096
RANDOM_WIDTH = 1024


def cdan(entropy: bool = False, hidden: int = 1024, form: str = "paper") -> Method:
    """L = CE_s + L_D(GRL(h_s), GRL(h_t)) with h = f (x) softmax(g): the discriminator sees features and predictions.

    g is detached. Where d * c > 4096, h = (f R_f) * (g R_g) / sqrt(1024) with fixed Gaussian R. With
    entropy (CDAN+E) an example weighs 1 + exp(-H(g)), detached (the authors let a reversed gradient through it), of
    mean 1 in each domain (form="paper") or over both (form="tllib"). The discriminator has neither dropout nor batch
    normalisation; the reversed gradient is that of `dann`, lam = 1. Long et al. 2018, arXiv 1705.10667.
    """
    require("form of cdan", form, ("paper", "tllib"))

    def init(key: Array, example: Example, model: Model) -> Own:
        d, c = example.features.shape[-1], example.logits.shape[-1]
        k_d, k_f, k_g = jax.random.split(key, 3)
        if d * c <= LARGEST_OUTER_PRODUCT:
            return Own({"discriminator": mlp.init(k_d, (d * c, hidden, hidden, 1))}, {})
        random = {name: jax.random.normal(k, (n, RANDOM_WIDTH)) for name, k, n in (("f", k_f, d), ("g", k_g, c))}
        return Own({"discriminator": mlp.init(k_d, (RANDOM_WIDTH, hidden, hidden, 1))}, random)

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        def score(o: Output) -> Array:
            f, g = classes.gradient_reversal(o.features, at.lam), jax.nn.softmax(jax.lax.stop_gradient(o.logits))
            return mlp.apply(own.params["discriminator"], joined(f, g, own.memory))[:, 0]

        weights = _weights(out["source"].logits, out["target"].logits, form) if entropy else (None, None)
        domain = classes.domain_logistic(score(out["source"]), score(out["target"]), *weights)
        return Terms({"source": classes.supervised(out["source"].logits, batch.y, at), "domain": domain})

    return Method(terms, init, weights=lambda at: {"domain": 1.0}, lam_schedule="dann")


def joined(f: Array, g: Array, random: Tree) -> Array:
    """h [n, ...] of features f [n, d] and predictions g [n, c]: their products, or random ones by matrices "f", "g"."""
    if random:
        return (f @ random["f"]) * (g @ random["g"]) / RANDOM_WIDTH**0.5
    return (g[:, :, None] * f[:, None, :]).reshape(len(f), -1)


def _weights(logits_s: Array, logits_t: Array, form: str):
    """Certainty weights ([n], [m]) of mean 1, without gradient."""
    w_s, w_t = (1 + jnp.exp(-classes.entropy(jax.lax.stop_gradient(g))) for g in (logits_s, logits_t))
    mean = jnp.concatenate([w_s, w_t]).mean()
    return (w_s / w_s.mean(), w_t / w_t.mean()) if form == "paper" else (w_s / mean, w_t / mean)
