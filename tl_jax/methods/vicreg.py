"""VICReg: views agree, features vary, features do not repeat each other."""

from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import contrastive, mlp
from tl_jax.methods.contract import HEAD_FROZEN, Example, Method, Own, Terms, two_views


def vicreg(
    invariance: float = 25.0, variance: float = 25.0, covariance: float = 1.0, *, width: int = 512, view: str = "strong"
) -> Method:
    """L = 25 invariance + 25 variance + covariance of the projections of two views (Bardes et al. 2022).

    In the form of the published code, which averages the invariance over dimensions and halves the variance. Projector
    d-width-width-width, hidden layers normalised over the batch. Reads no label. arXiv 2105.04906.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        sizes = (example.features.shape[-1], width, width, width)
        return Own({"projector": mlp.init(key, sizes, last_bias=False)}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        project = lambda x: mlp.apply(own.params["projector"], x, normalise=True)
        found = contrastive.vicreg(*(project(out[name].features) for name in ("one", "two")))
        return Terms(dict(zip(("invariance", "variance", "covariance"), found, strict=True)))

    return Method(
        terms,
        init,
        views=two_views(view),
        weights=lambda at: {name: at.values[name] for name in ("invariance", "variance", "covariance")},
        values={"invariance": invariance, "variance": variance, "covariance": covariance},
        lam=None,
        freeze=HEAD_FROZEN,
        labels="none",
    )
