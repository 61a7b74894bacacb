"""Moment matching for several sources."""

import itertools

import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms


def m3sda(moments: int = 2) -> Method:
    """L = CE_s + lam * MD,  MD = sum_k (mean_i ||m_k(f_i) - m_k(f_t)|| + mean_{i<j} ||m_k(f_i) - m_k(f_j)||).

    m_k(f) is the mean of f^k over a domain's part of the batch, by feature; k = 1, ..., moments; i, j are the sources,
    which are told apart: each comes near the target, and all near one another. One source has no pair: the first half
    of the sum is left. Labelled examples of the target count as target. Nothing is detached. One head serves all
    sources, where the paper has a head for each and votes by their accuracy, and this is M3SDA without its beta, the
    pairs of heads that disagree. moments = 2, lam = .5. Peng et al. 2019, arXiv 1812.01754.
    """

    def moved(a: Array, b: Array) -> Array:
        # The square root has no derivative at zero, where a domain meets itself.
        return jnp.sqrt(jnp.square(a - b).sum() + 1e-12)

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        parts = dict(zip(batch.domains, batch.split(out["source"].features), strict=True))
        target = jnp.concatenate([out["target"].features, *([parts.pop("target")] if "target" in parts else [])])
        distance = jnp.zeros(())
        for k in range(1, moments + 1):
            m_t, m_s = (target**k).mean(0), [(f**k).mean(0) for f in parts.values()]
            pairs = [moved(a, b) for a, b in itertools.combinations(m_s, 2)]
            distance += jnp.stack([moved(m, m_t) for m in m_s]).mean() + (jnp.stack(pairs).mean() if pairs else 0.0)
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "moments": distance})

    return Method(terms, lam=0.5, regression=True)
