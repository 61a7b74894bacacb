"""SimSiam: each view predicts the other, and a stopped gradient keeps it from collapse."""

from tl_jax.core.keys import named
from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.contrastive import negative_cosine
from tl_jax.methods.contract import HEAD_FROZEN, Example, Method, Own, Terms, two_views


def simsiam(width: int = 256, hidden: int = 64, view: str = "strong") -> Method:
    """L = -1/2 cos(h(z_1), z_2) - 1/2 cos(h(z_2), z_1), the z of the second place detached.

    z: projector d-width-width-width, normalised over the batch in every layer; h: predictor
    width-hidden-width. Reads no label. Chen & He 2021, arXiv 2011.10566.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        projector = (example.features.shape[-1], width, width, width)
        own = {
            "projector": mlp.init(named(key, "projector"), projector, last_bias=False),
            "predictor": mlp.init(named(key, "predictor"), (width, hidden, width)),
        }
        return Own(own, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        project = lambda x: mlp.standardise(mlp.apply(own.params["projector"], x, normalise=True))
        one, two = (project(out[name].features) for name in ("one", "two"))
        p_one, p_two = (mlp.apply(own.params["predictor"], z, normalise=True) for z in (one, two))
        loss = (negative_cosine(p_one, two) + negative_cosine(p_two, one)) / 2
        spread = (one / (1e-6 + (one**2).sum(1, keepdims=True) ** 0.5)).std(0).mean()
        return Terms({"prediction": loss}, {"spread": spread * width**0.5})

    return Method(
        terms,
        init,
        views=two_views(view),
        weights=lambda at: {"prediction": 1.0},
        lam=None,
        freeze=HEAD_FROZEN,
        labels="none",
    )
