"""Momentum contrast, the third version: the batch's own keys in the place of a queue."""

from tl_jax.core.keys import named
from tl_jax.core.schedules import cosine
from tl_jax.core.trees import moving_average
from tl_jax.core.types import Array, At, Batch, Model, Outputs, Tree
from tl_jax.losses import mlp
from tl_jax.losses.contrastive import info_nce
from tl_jax.methods.contract import HEAD_FROZEN, Example, Method, Own, Terms, View, two_views


def moco(
    temperature: float = 0.2, decay: float = 0.99, *, hidden: int = 512, width: int = 128, view: str = "strong"
) -> Method:
    """L = sum over two views of 2 T InfoNCE(h(z), keys), the keys being the teacher's projections of a third view.

    The teacher is the moving average of network and projector, with decay 1 - (1 - decay) (1 + cos(pi p)) / 2.
    There is no queue: negatives are the other keys of the batch. Reads no label. Chen et al. 2021,
    arXiv 2104.02057, after He et al. 2020, arXiv 1911.05722.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        projector = (example.features.shape[-1], hidden, width)
        own = {
            "projector": mlp.init(named(key, "projector"), projector, last_bias=False),
            "predictor": mlp.init(named(key, "predictor"), (width, hidden, width)),
        }
        return Own(own, {"params": model.params, "stats": model.stats, "projector": own["projector"]})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        keys = mlp.apply(own.memory["projector"], out["teacher"].features, normalise=True)
        temperature = at.values["temperature"]

        def loss(features: Array) -> Array:
            z = mlp.apply(own.params["projector"], features, normalise=True)
            query = mlp.apply(own.params["predictor"], z, normalise=True)
            return 2 * temperature * info_nce(query, keys, temperature)

        return Terms({"contrast": loss(out["one"].features) + loss(out["two"].features)})

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        slow = 1 - (1 - at.values["decay"]) * cosine(at.progress)
        now = {"params": model.params, "stats": model.stats, "projector": model.own["projector"]}
        return moving_average(model.memory, now, slow)

    teacher = View("target", view, weights=lambda memory: (memory["params"], memory["stats"]))
    return Method(
        terms,
        init,
        views={**two_views(view), "teacher": teacher},
        weights=lambda at: {"contrast": 1.0},
        values={"temperature": temperature, "decay": decay},
        lam=None,
        after=after,
        freeze=HEAD_FROZEN,
        labels="none",
    )
