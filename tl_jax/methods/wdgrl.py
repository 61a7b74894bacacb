"""Wasserstein distance guided representation learning."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Example, Method, Own, Phase, Terms


def wdgrl(critic_steps: int = 5, penalty: float = 10.0, hidden: int = 256) -> Method:
    """Per batch: the critic h minimises -W + penalty * P, `critic_steps` times; the network then CE_s + lam * W.

    W = mean h(f_s) - mean h(f_t);  P = mean (||dh/df|| - 1)^2 at sources, targets and points between them.
    Every critic step draws new points. lam = .1, where the authors' script has 1; critic and network share one learning
    rate, where it has two. Shen et al. 2018, arXiv 1707.01217.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        return Own({"critic": mlp.init(key, (example.features.shape[-1], hidden, 1), last_bias=False)}, {})

    def score(own: Own, x: Array) -> Array:
        return mlp.apply(own.params["critic"], x)[:, 0]

    def distance(own: Own, out: Outputs) -> Array:
        return score(own, out["source"].features).mean() - score(own, out["target"].features).mean()

    def critic(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        f_s, f_t = out["source"].features, out["target"].features
        n = min(len(f_s), len(f_t))
        mix = jax.random.uniform(jax.random.fold_in(at.key, 1), (n, 1), f_s.dtype)
        points = jnp.concatenate([f_s, f_t, f_t[:n] + mix * (f_s[:n] - f_t[:n])])
        slopes = jax.grad(lambda x: score(own, x).sum())(points)
        norm = jnp.sqrt(jnp.square(slopes).sum(1) + 1e-12)
        gap = distance(own, out)
        return Terms({"critic": at.values["penalty"] * jnp.square(norm - 1).mean() - gap})

    def adapt(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        losses = {"source": supervised(out["source"].logits, batch.y, at), "wasserstein": distance(own, out)}
        return Terms(losses)

    return Method(
        adapt,
        init,
        weights=lambda at: {"critic": 1.0},
        values={"penalty": penalty},
        lam=0.1,
        phases=(Phase(critic, ("critic",), critic_steps), Phase(adapt, ("network",))),
        groups={"critic": ("method/*",), "network": ("*",)},
        regression=True,
    )
