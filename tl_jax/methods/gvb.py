"""Gradually vanishing bridge: what is of one domain alone goes through a bridge that is made small."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Model, Network, Output, Outputs, Tree
from tl_jax.losses import mlp
from tl_jax.losses.classes import domain_logistic, entropy, gradient_reversal, supervised
from tl_jax.methods.contract import Example, Method, Own, Terms


def gvb(generator: float = 1.0, discriminator: float = 1.0, hidden: int = 256) -> Method:
    """L = CE(y; z_s - b_s) + L_D(D_1 - D_2; w) + generator * mean |b| + discriminator * mean |D_2|,  D of r(p).

    p = softmax(z - b). b = f B [n, c] is taken from the logits z everywhere, in predictions, too; D_1 and D_2 are two
    outputs of the discriminator, which sees predictions alone. w = exp(-H), detached (the authors let a reversed
    gradient through it), of mean 1 in each domain. r reverses the gradient as in `dann`, lam = 1. Both bridges weigh 1
    (GVB-GD). Cui et al. 2020, arXiv 2003.13183.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        d, c = example.features.shape[-1], example.logits.shape[-1]
        bridge, judge = jax.random.split(key)
        return Own({"bridge": mlp.init(bridge, (d, c)), "discriminator": mlp.init(judge, (c, hidden, hidden, 2))}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        b_s, b_t = (mlp.apply(own.params["bridge"], out[domain].features) for domain in ("source", "target"))
        z_s, z_t = out["source"].logits - b_s, out["target"].logits - b_t
        judge = lambda z: mlp.apply(own.params["discriminator"], gradient_reversal(jax.nn.softmax(z), at.lam))
        d_s, d_t = judge(z_s), judge(z_t)
        sure = (jnp.exp(-entropy(jax.lax.stop_gradient(z))) for z in (z_s, z_t))
        w_s, w_t = (w / w.mean() for w in sure)
        return Terms(
            {
                "classes": supervised(z_s, batch.y, at),
                "domain": domain_logistic(d_s[:, 0] - d_s[:, 1], d_t[:, 0] - d_t[:, 1], w_s, w_t),
                "generator": jnp.abs(jnp.concatenate([b_s, b_t])).mean(),
                "discriminator": jnp.abs(jnp.concatenate([d_s[:, 1], d_t[:, 1]])).mean(),
            }
        )

    def predict(network: Network, model: Model, x: Array, domain: str) -> Output:
        out, _ = network.apply(model.params, model.stats, x)
        return out._replace(logits=out.logits - mlp.apply(model.own["bridge"], out.features))

    def plain(model: Model, domain: str) -> tuple[Tree, Tree]:
        """The difference of two linear heads is one; of others it is not."""
        head = model.params["head"]
        if set(head) == {"kernel", "bias"}:
            head = jax.tree.map(jnp.subtract, head, model.own["bridge"]["dense0"])
        return {**model.params, "head": head}, model.stats

    values = {"generator": generator, "discriminator": discriminator}
    return Method(
        terms,
        init,
        weights=lambda at: {"classes": 1.0, "domain": 1.0} | {name: at.values[name] for name in values},
        values=values,
        lam_schedule="dann",
        predict=predict,
        plain=plain,
    )
