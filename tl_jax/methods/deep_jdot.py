"""Joint distribution optimal transport of features and labels."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.losses.discrepancy import squared_distances
from tl_jax.losses.transport import cross_costs, plan
from tl_jax.methods.contract import Method, Own, Terms


def deep_jdot(features: float = 1e-3, labels: float = 1e-4, regular: float = 0.02) -> Method:
    """L = CE_s + lam * sum_ij G_ij C_ij,  C_ij = features * ||f_i - f_j||^2 + labels * CE(y_i, p_j).

    G [n, m] is the transport plan of least cost between source and target examples of the batch, detached; here of
    least cost minus entropy, at regular * mean C (Sinkhorn, `losses/transport.py`), where the paper solves it exactly;
    regular -> 0 is that. features = 1e-3, labels = 1e-4, lam = 1: the paper's for digits. Its batches are large and
    hold all classes evenly (`--balanced`). Damodaran et al. 2018, arXiv 1803.10081.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        s, t = out["source"], out["target"]
        far = at.values["features"] * squared_distances(s.features, t.features)
        cost = far + at.values["labels"] * cross_costs(batch.y, t.logits)
        fixed = jax.lax.stop_gradient(cost)
        moved = plan(fixed, at.values["regular"] * jnp.maximum(fixed.mean(), 1e-12))
        return Terms({"source": supervised(s.logits, batch.y, at), "transport": (moved * cost).sum()})

    return Method(terms, values={"features": features, "labels": labels, "regular": regular})
