"""SimCLR: two views of an example attract, views of different examples repel."""

from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.contrastive import nt_xent
from tl_jax.methods.contract import HEAD_FROZEN, Example, Method, Own, Terms, two_views


def simclr(temperature: float = 0.5, hidden: int = 256, width: int = 128, view: str = "strong") -> Method:
    """L = NT-Xent of the projections of two views of the target (Chen et al. 2020, arXiv 2002.05709).

    Reads no label. The projector, d-hidden-width, is thrown away: the features are the representation.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        return Own({"projector": mlp.init(key, (example.features.shape[-1], hidden, width))}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        one, two = (mlp.apply(own.params["projector"], out[name].features) for name in ("one", "two"))
        return Terms({"contrast": nt_xent(one, two, at.values["temperature"])})

    return Method(
        terms,
        init,
        views=two_views(view),
        weights=lambda at: {"contrast": 1.0},
        values={"temperature": temperature},
        lam=None,
        freeze=HEAD_FROZEN,
        labels="none",
    )
