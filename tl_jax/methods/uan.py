"""Universal adaptation network: both domains may have classes of their own, and what they share is aligned."""

import math

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Model, Network, Output, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import domain_logistic, entropy, gradient_reversal, supervised
from tl_jax.methods.contract import Example, Method, Own, Terms


def uan(temperature: float = 10.0, threshold: float = -0.5, hidden: int = 256) -> Method:
    """L = CE_s + L_D'(f_s, f_t) + L_D(r(f_s), r(f_t); w_s, w_t),  w_t = d'(f_t) - H(p_t) / log K,  w_s = -w_t at s.

    d' = D'(f) is how much an example looks like the source to a discriminator that the features do not notice. Shared
    classes are where the source is unsure and the target is not. w is detached, brought to [0, 1] and to mean 1 in the
    batch; r reverses the gradient as in `dann`, lam = .3. Rejected is w_t < threshold, as it is. p_s is of logits over
    `temperature`, the authors' code, which also takes the cross-entropy of a softmax of probabilities (here: of
    logits). temperature = 10, threshold = -.5. You et al. 2019 (CVPR).
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        sizes = (example.features.shape[-1], hidden, hidden, 1)
        keys = dict(zip(("weighing", "discriminator"), jax.random.split(key), strict=True))
        return Own({name: mlp.init(k, sizes) for name, k in keys.items()}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        s, t = out["source"], out["target"]
        score = lambda name, f: mlp.apply(own.params[name], f)[:, 0]
        seen_s, seen_t = (score("weighing", jax.lax.stop_gradient(o.features)) for o in (s, t))
        w_s = to_mean_one(-shared(s.logits / at.values["temperature"], seen_s))
        w_t = to_mean_one(shared(t.logits, seen_t))
        adversary = lambda o: score("discriminator", gradient_reversal(o.features, at.lam))
        return Terms(
            {
                "source": supervised(s.logits, batch.y, at),
                "weighing": domain_logistic(seen_s, seen_t),
                "domain": domain_logistic(adversary(s), adversary(t), w_s, w_t),
            }
        )

    def predict(network: Network, model: Model, x: Array, domain: str) -> Output:
        out, _ = network.apply(model.params, model.stats, x)
        return out._replace(
            unknown=threshold - shared(out.logits, mlp.apply(model.own["weighing"], out.features)[:, 0])
        )

    return Method(
        terms,
        init,
        weights=lambda at: {"weighing": 1.0, "domain": 1.0},
        values={"temperature": temperature},
        lam=0.3,
        lam_schedule="dann",
        predict=predict,
    )


def shared(logits: Array, seen: Array) -> Array:
    """w_t [n] of logits [n, K] and a discriminator's scores [n]."""
    return jax.nn.sigmoid(seen) - entropy(logits) / math.log(logits.shape[1])


def to_mean_one(w: Array) -> Array:
    """From least to greatest as from 0 to 1, then of mean 1, without gradient; equal ones are all 1."""
    least, span = w.min(), w.max() - w.min()
    rising = jnp.where(span > 0, (w - least) / jnp.where(span > 0, span, 1.0), 1.0)
    return jax.lax.stop_gradient(rising / rising.mean())
