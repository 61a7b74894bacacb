"""Bi-Tuning: contrast by class, of the classifier's weights with features and of projections with each other."""

import jax
import jax.numpy as jnp

from tl_jax.core.errors import require
from tl_jax.core.keys import named
from tl_jax.core.trees import moving_average
from tl_jax.core.types import Array, At, Batch, Model, Outputs, Tree
from tl_jax.losses import mlp
from tl_jax.losses.classes import supervised
from tl_jax.losses.contrastive import unit
from tl_jax.methods.contract import Example, Method, Own, Terms, View


def bi_tuning(
    temperature: float = 0.07, decay: float = 0.999, *, form: str = "paper", width: int = 128, view: str = "weak"
) -> Method:
    """L = CE + lam * (C(w_{y_i} . h_j) + C(z_i . z'_j)),  C(s) = -(1/n) sum_i mean_{y_j = y_i} log softmax_j(s_ij / T).

    h = unit((f, 1)), w = unit((kernel, bias)) by class, z = unit(projection of f); z' and the h_j with j != i
    are keys: another view through the moving average of the network. The keys are the batch's (the paper
    queues 40 a class). Labels are the target's. form="tllib": no gradient in w. lam = 1. Zhong et al. 2020,
    arXiv 2011.06182.
    """
    require("form of bi_tuning", form, ("paper", "tllib"))

    def init(key: Array, example: Example, model: Model) -> Own:
        mlp.of_linear(model.params["head"], "bi_tuning")
        own = {"projector": mlp.init(named(key, "projector"), (example.features.shape[-1], width))}
        return Own(own, {"params": model.params, "stats": model.stats, "projector": own["projector"]})

    def contrast(similar: Array, y: Array, at: At) -> Array:
        same = y[:, None] == y[None, :]
        log_p = jax.nn.log_softmax(similar / at.values["temperature"], axis=1)
        return -(jnp.where(same, log_p, 0).sum(1) / same.sum(1)).mean()

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        f, keys, y = out["source"].features, out["keys"].features, batch.y
        with_one = lambda x: unit(jnp.concatenate([x, jnp.ones_like(x[:, :1])], 1))
        head = own.network["head"] if form == "paper" else jax.lax.stop_gradient(own.network["head"])
        w = unit(jnp.concatenate([head["kernel"].T, head["bias"][:, None]], 1))[y]
        by_class = jnp.where(jnp.eye(len(y), dtype=bool), (w * with_one(f)).sum(1)[:, None], w @ with_one(keys).T)
        z, z_keys = (unit(mlp.apply(p, x)) for p, x in ((own.params["projector"], f), (own.memory["projector"], keys)))
        losses = {"classifier": contrast(by_class, y, at), "projection": contrast(z @ z_keys.T, y, at)}
        return Terms({"source": supervised(out["source"].logits, y, at), **losses})

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        now = {"params": model.params, "stats": model.stats, "projector": model.own["projector"]}
        return moving_average(model.memory, now, at.values["decay"])

    keys = View("source", view, weights=lambda memory: (memory["params"], memory["stats"]))
    values = {"temperature": temperature, "decay": decay}
    views = {"source": View("source", view), "keys": keys}
    return Method(terms, init, views=views, values=values, lam=1.0, after=after, labels="target")
