"""Spectral decoupling: a penalty on the logits in the place of weight decay."""

import jax.numpy as jnp

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms, View


def spectral_decoupling() -> Method:
    """L = mean_k R_k + lam * (1 / (n c)) sum_ij g_ij^2: no feature starves the others of gradient.

    Domains are joined, as in `erm`; one is enough. lam = .1 and the mean over classes are DomainBed's; the paper writes
    (lam / 2) ||g||^2 an example, and has no weight decay beside it (--weight_decay=0). Pezeshki et al. 2021,
    arXiv 2011.09468.
    """

    def terms(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        logits = out["source"].logits
        return Terms({"source": supervised(logits, batch.y, at), "logits": jnp.square(logits).mean()})

    return Method(terms, views={"source": View("source")}, lam=0.1, regression=True)
