"""Domain-adversarial neural network."""

from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import domain_logistic, gradient_reversal, supervised
from tl_jax.methods.contract import Example, Method, Own, Terms


def dann(hidden: int = 256) -> Method:
    """L = CE_s + L_D(GRL(f_s), GRL(f_t)): a discriminator tells the domains apart, reversed gradients hide them.

    The discriminator learns at full weight; the features receive -lam(p) times its gradient with
    lam(p) = lam * (2 / (1 + exp(-10 p)) - 1). L_D is half of each domain's mean cross-entropy, where the paper sums
    them: its lam of 1 is 2 here. The default .3 is steadier with adaptive step sizes. The discriminator has neither
    dropout nor batch normalisation. Ganin et al. 2016, JMLR 17(59), arXiv 1505.07818.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        return Own({"discriminator": mlp.init(key, (example.features.shape[-1], hidden, hidden, 1))}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        score = lambda x: mlp.apply(own.params["discriminator"], gradient_reversal(x, at.lam))[:, 0]
        return Terms(
            {
                "source": supervised(out["source"].logits, batch.y, at),
                "domain": domain_logistic(score(out["source"].features), score(out["target"].features)),
            }
        )

    return Method(terms, init, weights=lambda at: {"domain": 1.0}, lam=0.3, lam_schedule="dann", regression=True)
