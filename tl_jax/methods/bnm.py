"""Batch nuclear-norm maximisation: predictions that are certain and diverse."""

import jax

from tl_jax.core.matrices import singular_values
from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms


def bnm() -> Method:
    """L = CE_s - lam * (1/m) ||P||_*, P = softmax(g_t) [m, c], the sum of its singular values.

    Cui et al. 2020, arXiv 2003.12237.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        p = jax.nn.softmax(out["target"].logits)
        nuclear = singular_values(p).sum() / len(p)
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "nuclear": -nuclear})

    return Method(terms)
