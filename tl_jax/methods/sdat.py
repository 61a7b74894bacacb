"""Smooth domain-adversarial training: a flat minimum of the source's loss, and an adversary."""

from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import domain_logistic, gradient_reversal, supervised
from tl_jax.losses.sharpness import uphill
from tl_jax.methods.contract import Example, Method, Own, Terms


def sdat(rho: float = 0.02, hidden: int = 256) -> Method:
    """L = CE_s(theta + rho g / |g|) + L_D(GRL(f_s), GRL(f_t)),  g = d CE_s / d theta, no derivative taken through it.

    The task's loss alone is smoothed: a sharp adversarial loss is what tells the domains apart. The second term is that
    of `dann`, at theta (the published code has it at the moved weights, too); lam = .3 as there. theta: the trained
    parameters of the network. rho = .02. Rangwani et al. 2022, arXiv 2206.08213.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        return Own({"discriminator": mlp.init(key, (example.features.shape[-1], hidden, hidden, 1))}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        task = lambda seen: supervised(seen["source"].logits, batch.y, at)
        score = lambda x: mlp.apply(own.params["discriminator"], gradient_reversal(x, at.lam))[:, 0]
        return Terms(
            {
                "smooth": task(own.lookahead(task, uphill(at.values["rho"]))),
                "domain": domain_logistic(score(out["source"].features), score(out["target"].features)),
            }
        )

    return Method(
        terms,
        init,
        weights=lambda at: {"smooth": 1.0, "domain": 1.0},
        values={"rho": rho},
        lam=0.3,
        lam_schedule="dann",
        regression=True,
    )
