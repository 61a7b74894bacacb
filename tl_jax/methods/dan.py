"""Deep adaptation network: multi-kernel maximum mean discrepancy."""

from tl_jax.core.discrepancy import mmd
from tl_jax.core.errors import require
from tl_jax.core.losses import supervised
from tl_jax.methods.base import Method, Terms


def dan(form: str = "paper") -> Method:
    """L = CE_s + lam * sum over layers of MK-MMD^2 (Long et al. 2015, arXiv 1502.02791).

    Five Gaussian kernels, sigma_k^2 = 2^k mean squared distance, k = -3..1, weighted equally.
    form="paper": of features and logits, unbiased in all pairs; form="tllib": of features, linear in n.
    """
    require("form of dan", form, ("paper", "tllib"))

    def terms(own, out, batch, at):
        s, t = out["source"], out["target"]
        if form == "paper":
            distance = mmd(s.features, t.features) + mmd(s.logits, t.logits)
        else:
            distance = mmd(s.features, t.features, estimator="linear")
        return Terms({"source": supervised(s.logits, batch.y), "mmd": distance})

    return Method(terms, regression=True)
