"""Deep domain confusion: the means of the domains meet."""

import jax.numpy as jnp

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms


def ddc() -> Method:
    """L = CE_s + lam * ||mean f_s - mean f_t||^2, the squared MMD of a linear kernel (biased), of the features.

    lam = .25, the paper's for its bottleneck of 256. Other libraries call a Gaussian kernel in its place DDC as well:
    that is `dan`. Tzeng et al. 2014, arXiv 1412.3474.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        apart = out["source"].features.mean(0) - out["target"].features.mean(0)
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "mmd": jnp.square(apart).sum()})

    return Method(terms, lam=0.25, regression=True)
