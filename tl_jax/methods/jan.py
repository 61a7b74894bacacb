"""Joint adaptation network: features and predictions together."""

import jax

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.losses.joint_discrepancy import joint_mmd
from tl_jax.methods.contract import Method, Own, Terms


def jan() -> Method:
    """L = CE_s + lam * squared MMD of (f, softmax(g)) under a product of kernels, unbiased in all pairs of rows.

    Well-known libraries take cyclic pairs in linear time by default, a noisier estimate of the same (see `dan`).
    lam = 1. Long et al. 2017, arXiv 1605.06636.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        s, t = out["source"], out["target"]
        joint = joint_mmd((s.features, t.features), (jax.nn.softmax(s.logits), jax.nn.softmax(t.logits)))
        return Terms({"source": supervised(s.logits, batch.y, at), "mmd": joint})

    return Method(terms)
