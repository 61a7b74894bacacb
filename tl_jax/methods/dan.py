"""Deep adaptation network: multi-kernel maximum mean discrepancy."""

import jax.numpy as jnp

from tl_jax.core.errors import require
from tl_jax.core.types import Array, At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.losses.discrepancy import mmd
from tl_jax.methods.contract import Method, Own, Terms

FORMS = {"quadratic": "unbiased", "paper": "linear", "tllib": "cyclic"}


def dan(form: str = "quadratic") -> Method:
    """L = CE_s + lam * sum over layers of MK-MMD^2 (Long et al. 2015, arXiv 1502.02791).

    Five Gaussian kernels, sigma_k^2 = 2^k mean squared distance, k = -3..1, weighted equally (the paper learns the
    weights). All forms are unbiased and differ in the pairs of rows that they average over (see `mmd`).
    form="quadratic": of features and logits, in all pairs. form="paper": the same in disjoint pairs, in linear time,
    with about three times the standard deviation. form="tllib": of features, in cyclic pairs, plus 2 / (n - 1).
    Those in linear time pair rows: of several sources they take the mean distance.
    """
    require("form of dan", form, tuple(FORMS))

    def distance(x_s: Array, x_t: Array, batch: Batch) -> Array:
        if form == "quadratic":
            return mmd(x_s, x_t)
        return jnp.stack([mmd(x, x_t, estimator=FORMS[form]) for x in batch.split(x_s)]).mean()

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        s, t = out["source"], out["target"]
        loss = distance(s.features, t.features, batch)
        # The library's constant for the diagonal of all pairs; it has no gradient.
        loss = loss + (2 / (len(t.features) - 1) if form == "tllib" else distance(s.logits, t.logits, batch))
        return Terms({"source": supervised(s.logits, batch.y, at), "mmd": loss})

    return Method(terms, regression=True)
