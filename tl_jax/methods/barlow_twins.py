"""Barlow Twins: two views correlate feature by feature, and no feature repeats another."""

from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.contrastive import barlow
from tl_jax.methods.contract import HEAD_FROZEN, Example, Method, Own, Terms, two_views


def barlow_twins(redundancy: float = 5e-3, width: int = 512, view: str = "strong") -> Method:
    """L = sum_j (1 - C_jj)^2 + redundancy * sum_{j != k} C_jk^2, C the cross-correlation of two views' projections.

    Projector d-width-width-width, hidden layers normalised over the batch. Reads no label. Zbontar et al.
    2021, arXiv 2103.03230.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        sizes = (example.features.shape[-1], width, width, width)
        return Own({"projector": mlp.init(key, sizes, last_bias=False)}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        project = lambda x: mlp.apply(own.params["projector"], x, normalise=True)
        one, two = (project(out[name].features) for name in ("one", "two"))
        return Terms({"redundancy": barlow(one, two, at.values["redundancy"])})

    return Method(
        terms,
        init,
        views=two_views(view),
        weights=lambda at: {"redundancy": 1.0},
        values={"redundancy": redundancy},
        lam=None,
        freeze=HEAD_FROZEN,
        labels="none",
    )
