"""Unbalanced mini-batch optimal transport."""

import jax

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.losses.discrepancy import squared_distances
from tl_jax.losses.transport import cross_costs, plan
from tl_jax.methods.contract import Method, Own, Terms


def jumbot(features: float = 0.1, labels: float = 0.1, regular: float = 0.1, marginal: float = 1.0) -> Method:
    """L = CE_s + lam * sum_ij G_ij C_ij,  C_ij = features * ||f_i - f_j||^2 + labels * CE(y_i, p_j).

    G [n, m] is the plan of least cost + marginal * KL(of its marginals to even ones) - regular * entropy, detached: an
    example of a small batch that nothing resembles is moved in part only, where `deep_jdot` has to move it whole.
    features = labels = regular = .1, marginal = 1, lam = 1: the paper's for digits. Its batches hold all classes evenly
    (`--balanced`). Fatras et al. 2021, arXiv 2103.03180.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        s, t = out["source"], out["target"]
        far = at.values["features"] * squared_distances(s.features, t.features)
        cost = far + at.values["labels"] * cross_costs(batch.y, t.logits)
        moved = plan(jax.lax.stop_gradient(cost), at.values["regular"], at.values["marginal"])
        losses = {"source": supervised(s.logits, batch.y, at), "transport": (moved * cost).sum()}
        return Terms(losses, {"moved": moved.sum()})

    return Method(terms, values={"features": features, "labels": labels, "regular": regular, "marginal": marginal})
