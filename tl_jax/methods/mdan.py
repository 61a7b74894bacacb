"""Multisource domain adversarial network: the sources that are hardest to bring near weigh most."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import domain_logistic, gradient_reversal, supervised
from tl_jax.methods.contract import Example, Method, Own, Terms


def mdan(gamma: float = 10.0, hidden: int = 256) -> Method:
    """L = (1/gamma) log (1/K) sum_k exp(gamma (L_k + L_Dk(GRL(f_k), GRL(f_t)))): the soft maximum over K sources.

    L_k is the supervised loss of source k, L_Dk that of a discriminator of its own against the target, which learns at
    the weight of its source; GRL reverses the gradient with lam(p) as in `dann`. The mean in the logarithm makes one
    source `dann`; without it the value is log(K) / gamma larger and the gradient the same. Labelled targets count as
    one more source without a discriminator. gamma = 10, lam = .3 as `dann` (the paper's mu, on the discriminator as
    well: 1e-2). Zhao et al. 2018, arXiv 1705.09684.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        sizes = (example.features.shape[-1], hidden, hidden, 1)
        keys = jax.random.split(key, example.domains)
        return Own({f"discriminator{k}": mlp.init(keys[k], sizes) for k in range(example.domains)}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        hide = lambda f: gradient_reversal(f, at.lam)
        risks = []
        for k, (name, source, o) in enumerate(
            zip(batch.domains, batch.sources, batch.split(out["source"]), strict=True)
        ):
            risk = supervised(o.logits, source.y, at)
            if name != "target":
                score = lambda f, k=k: mlp.apply(own.params[f"discriminator{k}"], hide(f))[:, 0]
                risk = risk + domain_logistic(score(o.features), score(out["target"].features))
            risks.append(risk)
        soft = jax.nn.logsumexp(at.values["gamma"] * jnp.stack(risks)) - jnp.log(len(risks))
        return Terms({"hardest": soft / at.values["gamma"]})

    return Method(
        terms,
        init,
        weights=lambda at: {"hardest": 1.0},
        values={"gamma": gamma},
        lam=0.3,
        lam_schedule="dann",
        regression=True,
    )
