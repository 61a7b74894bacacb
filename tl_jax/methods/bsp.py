"""Batch spectral penalisation: DANN whose features do not hide in one direction."""

import jax.numpy as jnp

from tl_jax.core.matrices import singular_values
from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import domain_logistic, gradient_reversal, supervised
from tl_jax.methods.contract import Example, Method, Own, Terms


def bsp(penalty: float = 1e-4, hidden: int = 256) -> Method:
    """L = CE_s + L_D(GRL(f_s), GRL(f_t)) + penalty * (sigma_1(f_s)^2 + sigma_1(f_t)^2).

    The first two terms are DANN's, with lam(p) = lam * (2 / (1 + exp(-10 p)) - 1) in the reversal and lam = .3;
    sigma_1 is the largest singular value of a batch's features. The penalty is constant as in the paper, apart from
    lam; its size grows with the batch. penalty = 1e-4. Chen et al. 2019 (ICML, PMLR 97:1081).
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        return Own({"discriminator": mlp.init(key, (example.features.shape[-1], hidden, hidden, 1))}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        f_s, f_t = out["source"].features, out["target"].features
        score = lambda x: mlp.apply(own.params["discriminator"], gradient_reversal(x, at.lam))[:, 0]
        largest = lambda x: jnp.square(singular_values(x)[0])
        return Terms(
            {
                "source": supervised(out["source"].logits, batch.y, at),
                "domain": domain_logistic(score(f_s), score(f_t)),
                "spectral": largest(f_s) + largest(f_t),
            }
        )

    return Method(
        terms,
        init,
        weights=lambda at: {"domain": 1.0, "spectral": at.values["penalty"]},
        values={"penalty": penalty},
        lam=0.3,
        lam_schedule="dann",
        regression=True,
    )
