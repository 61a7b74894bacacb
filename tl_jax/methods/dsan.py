"""Deep subdomain adaptation: the discrepancy class by class."""

import jax

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.losses.joint_discrepancy import local_mmd
from tl_jax.methods.contract import Method, Own, Terms


def dsan() -> Method:
    """L = CE_s + lam(p) * local MMD of the features, targets shared out by their predictions; lam = .5.

    lam(p) = lam * (2 / (1 + exp(-10 p)) - 1). The classes of a batch are those that its source labels and its
    likeliest predictions share, as in the authors' code (see `local_mmd`). Zhu et al. 2021, doi
    10.1109/TNNLS.2020.2988928.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        s, t = out["source"], out["target"]
        shares = (jax.nn.one_hot(batch.y, s.logits.shape[1], dtype=s.features.dtype), jax.nn.softmax(t.logits))
        local = local_mmd((s.features, t.features), shares)
        return Terms({"source": supervised(s.logits, batch.y, at), "local_mmd": local})

    return Method(terms, lam=0.5, lam_schedule="dann")
