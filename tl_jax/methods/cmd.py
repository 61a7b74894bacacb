"""Central moment discrepancy."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms


def cmd(moments: int = 5) -> Method:
    """L = CE_s + lam * (||m_s - m_t|| + sum_{k=2}^moments ||c_k(h_s) - c_k(h_t)||),  h = sigmoid(f).

    m is the mean of h, c_k(h) = mean (h - m)^k by feature. The discrepancy is one of values in [a, b]; with [0, 1] its
    factors 1 / |b - a|^k are 1. The paper's hidden layer is sigmoid, here the features become so for this term alone.
    moments = 5, lam = 1. Zellinger et al. 2017, arXiv 1702.08811.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        h_s, h_t = (jax.nn.sigmoid(out[name].features) for name in ("source", "target"))
        m_s, m_t = h_s.mean(0), h_t.mean(0)
        central = lambda h, m, k: ((h - m[None]) ** k).mean(0)
        orders = [central(h_s, m_s, k) - central(h_t, m_t, k) for k in range(2, moments + 1)]
        distance = jnp.stack([_norm(apart) for apart in (m_s - m_t, *orders)]).sum()
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "moments": distance})

    return Method(terms, regression=True)


def _norm(x: Array) -> Array:
    # The square root has no derivative at zero, where a domain meets itself.
    return jnp.sqrt(jnp.square(x).sum() + 1e-12)
