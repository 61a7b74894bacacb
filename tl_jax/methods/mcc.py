"""Minimum class confusion."""

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import confusion, supervised
from tl_jax.methods.contract import Method, Own, Terms


def mcc(temperature: float = 2.5) -> Method:
    """L = CE_s + lam * confusion of the target's softened predictions (Jin et al. 2020, arXiv 1912.03699).

    The weights of the examples, by their entropy, are detached as in the authors' code. temperature = 2.5, lam = 1.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        return Terms(
            {
                "source": supervised(out["source"].logits, batch.y, at),
                "confusion": confusion(out["target"].logits, at.values["temperature"]),
            }
        )

    return Method(terms, values={"temperature": temperature})
