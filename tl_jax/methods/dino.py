"""DINO: self-distillation without labels."""

from tl_jax.core.keys import named
from tl_jax.core.schedules import cosine
from tl_jax.core.trees import moving_average
from tl_jax.core.types import Array, At, Batch, Model, Outputs, Tree
from tl_jax.losses import contrastive, mlp
from tl_jax.methods.contract import HEAD_FROZEN, Example, Method, Own, Terms, View, by_plain, remembered, two_views


def dino(
    decay: float = 0.996, sharp: float = 0.04, soft: float = 0.1, *, prototypes: int = 1024, view: str = "strong"
) -> Method:
    """L = mean over two views of CE(softmax((t - mean t) / sharp), softmax(s / soft)), t the teacher's of a third.

    s, t: cosines of a projection, d-256-256-64, with `prototypes` directions. The teacher is the moving
    average of everything, with decay 1 - (1 - decay) (1 + cos(pi p)) / 2; its centre is the mean of the batch
    (momentum 0); all views have one size. The teacher predicts. Reads no label. Caron et al. 2021, arXiv 2104.14294.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        last = mlp.init(named(key, "prototypes"), (64, prototypes), last_bias=False)
        own = {
            "projector": mlp.init(key, (example.features.shape[-1], 256, 256, 64)),
            "prototypes": last["dense0"],
        }
        return Own(own, {"params": model.params, "stats": model.stats, "own": own})

    def scores(own: Tree, features: Array) -> Array:
        directions = contrastive.unit(own["prototypes"]["kernel"].T)
        return contrastive.unit(mlp.apply(own["projector"], features)) @ directions.T

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        teacher = scores(own.memory["own"], out["teacher"].features)
        heat, centre = (at.values["soft"], at.values["sharp"]), teacher.mean(0)
        loss = lambda o: contrastive.dino(scores(own.params, o.features), teacher, heat, centre)
        return Terms({"distillation": (loss(out["one"]) + loss(out["two"])) / 2})

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        now = {"params": model.params, "stats": model.stats, "own": model.own}
        return moving_average(model.memory, now, 1 - (1 - at.values["decay"]) * cosine(at.progress))

    def plain(model: Model, domain: str) -> tuple[Tree, Tree]:
        return remembered(model.memory, domain)

    teacher = View("target", view, weights=lambda memory: (memory["params"], memory["stats"]))
    return Method(
        terms,
        init,
        views={**two_views(view), "teacher": teacher},
        weights=lambda at: {"distillation": 1.0},
        values={"decay": decay, "sharp": sharp, "soft": soft},
        lam=None,
        after=after,
        freeze=HEAD_FROZEN,
        predict=by_plain(plain),
        plain=plain,
        labels="none",
    )
