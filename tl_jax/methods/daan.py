"""Dynamic adversarial adaptation: one discriminator for the domains, one for each class, weighed by what is left."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Model, Output, Outputs, Tree
from tl_jax.losses import mlp
from tl_jax.losses.classes import domain_logistic, gradient_reversal, supervised
from tl_jax.methods.contract import Example, Method, Own, Terms


def daan(hidden: int = 256, decay: float = 0.99) -> Method:
    """L = CE_s + (1 - w) L_D(r(f)) + w (1/c) sum_k L_Dk(p_k r(f)),  w = 1 - d / (d + mean_k d_k).

    p_k is the predicted probability of class k, detached; d = 2 (1 - 2 e), at least .01, is the proxy A-distance by the
    error e of a discriminator: where the whole domains are still far apart (d large) the global one has the weight, as
    they meet it goes to the classes. Errors are moving averages over steps, .25 at first, so that w begins at .5 (the
    paper's code renews w once an epoch, by this formula). r reverses the gradient with lam(p) as in `dann`; lam = .3.
    decay = .99.
    Yu et al. 2019, arXiv 1909.08184.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        sizes, c = (example.features.shape[-1], hidden, 1), example.logits.shape[-1]
        first, rest = jax.random.split(key)
        by_class = jax.vmap(lambda k: mlp.init(k, sizes))(jax.random.split(rest, c))
        errors = {"whole": jnp.ones(()) / 4, "classes": jnp.ones(c) / 4}
        return Own({"whole": mlp.init(first, sizes), "classes": by_class}, errors)

    def scores(params: Tree, o: Output, lam: Array) -> tuple[Array, Array]:
        """Of the whole domains [n], and by class [c, n]."""
        f, p = gradient_reversal(o.features, lam), jax.nn.softmax(jax.lax.stop_gradient(o.logits))
        each = jax.vmap(lambda own, share: mlp.apply(own, share[:, None] * f)[:, 0])(params["classes"], p.T)
        return mlp.apply(params["whole"], f)[:, 0], each

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        (whole_s, each_s), (whole_t, each_t) = (scores(own.params, out[d], at.lam) for d in ("source", "target"))
        far = {name: jnp.maximum(2 * (1 - 2 * e), 0.01) for name, e in own.memory.items()}
        w = 1 - far["whole"] / (far["whole"] + far["classes"].mean())
        by_class = jax.vmap(domain_logistic)(each_s, each_t).mean()
        domain = (1 - w) * domain_logistic(whole_s, whole_t) + w * by_class
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "domain": domain}, {"omega": w})

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        (whole_s, each_s), (whole_t, each_t) = (scores(model.own, out[d], at.lam) for d in ("source", "target"))
        error = lambda s, t: ((s < 0).mean(-1) + (t >= 0).mean(-1)) / 2
        now = {"whole": error(whole_s, whole_t), "classes": error(each_s, each_t)}
        slow = at.values["decay"]
        return {name: (slow * old + (1 - slow) * now[name]).astype(old.dtype) for name, old in model.memory.items()}

    return Method(
        terms,
        init,
        weights=lambda at: {"domain": 1.0},
        values={"decay": decay},
        lam=0.3,
        lam_schedule="dann",
        after=after,
    )
