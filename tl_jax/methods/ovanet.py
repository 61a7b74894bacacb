"""One-versus-all network: a threshold for each class, learnt from the source."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Model, Network, Output, Outputs, Tree
from tl_jax.losses.classes import supervised
from tl_jax.losses.neighbours import unit
from tl_jax.methods.contract import Example, Method, Own, Terms


def ovanet() -> Method:
    """L = CE_s + (1/2) mean_s (-log q_y - min_{k != y} log(1 - q_k)) + lam * mean_t (1/K) sum_k H(q_k).

    q_k = sigmoid(f (a_k - b_k)) says yes or no to class k; a, b [K, d] have rows of length 1 and are the method's own.
    Of the other classes the nearest alone learns to say no; the target's binary entropies H fall. Rejected is what the
    class that the head predicts says no to. The half is that of the authors' code, their equation has none. lam = .1.
    Saito & Saenko 2021, arXiv 2104.03344.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        draw = lambda key: jax.random.normal(key, (example.logits.shape[1], example.features.shape[1]))
        yes, no = map(draw, jax.random.split(key))
        return Own({"open": {"yes": yes, "no": no}}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        s, t = (_odds(own.params["open"], out[domain].features) for domain in ("source", "target"))
        mine = jax.nn.one_hot(batch.y, s.shape[1], dtype=bool)
        yes = jnp.where(mine, jax.nn.softplus(-s), 0.0).sum(1)
        no = jnp.where(mine, -jnp.inf, jax.nn.softplus(s)).max(1)
        return Terms(
            {
                "classes": supervised(out["source"].logits, batch.y, at),
                "open": 0.5 * (yes + no).mean(),
                "entropy": (jax.nn.softplus(t) - t * jax.nn.sigmoid(t)).mean(),
            }
        )

    def predict(network: Network, model: Model, x: Array, domain: str) -> Output:
        out, _ = network.apply(model.params, model.stats, x)
        odds = _odds(model.own["open"], out.features)
        return out._replace(unknown=-jnp.take_along_axis(odds, out.logits.argmax(1, keepdims=True), 1)[:, 0])

    return Method(terms, init, weights=lambda at: {"classes": 1.0, "open": 1.0}, lam=0.1, predict=predict)


def _odds(rows: Tree, features: Array) -> Array:
    """log(q / (1 - q)) of every class, [n, K]."""
    return features @ (unit(rows["yes"]) - unit(rows["no"])).T
