"""Empirical risk minimisation over several domains: the baseline of generalisation."""

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms, View


def erm() -> Method:
    """L = (1/K) sum_k CE_k over the K domains that are there, all with equally many examples in a batch.

    The domain it is tested on is met in the test alone. Vapnik 1998; as the baseline of generalisation Gulrajani &
    Lopez-Paz 2021, arXiv 2007.01434.
    """

    def terms(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        return Terms({"source": supervised(out["source"].logits, batch.y, at)})

    return Method(terms, lam=None, views={"source": View("source")}, regression=True)
