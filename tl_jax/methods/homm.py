"""Higher-order moment matching."""

import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms


def homm(order: int = 3) -> Method:
    """L = CE_s + lam * (1/d^p) ||mean f_s^(x)p - mean f_t^(x)p||_F^2: tensors of all moments of order p, whole.

    The distance of the tensors [d, ..., d] needs none of them: <f^(x)p, g^(x)p> = (f . g)^p, so that it is
    mean (f_s . f_s')^p + mean (f_t . f_t')^p - 2 mean (f_s . f_t)^p over all pairs, diagonals included; the paper draws
    entries of them at random instead. p = 3 as there. lam = 1, where its scripts have 1e4 for features in [-1, 1]: the
    size of the term is that of the features to the power 2p. Chen et al. 2020, arXiv 1912.11976.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        f_s, f_t = out["source"].features, out["target"].features
        # Each product divided by d: the power of the quotient is far smaller than the quotient of powers.
        mean = lambda a, b: ((_inner(a, b) / a.shape[1]) ** order).mean()
        distance = mean(f_s, f_s) + mean(f_t, f_t) - 2 * mean(f_s, f_t)
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "moments": distance})

    return Method(terms, regression=True)


def _inner(a: Array, b: Array) -> Array:
    return jnp.matmul(a, b.T, precision="highest")
