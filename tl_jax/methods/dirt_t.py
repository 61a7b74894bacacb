"""Decision-boundary iterative refinement training with a teacher: what comes after the source is left."""

import jax
import jax.numpy as jnp

from tl_jax.core.trees import moving_average
from tl_jax.core.types import Array, At, Batch, Model, Outputs, Tree
from tl_jax.losses.classes import entropy
from tl_jax.losses.examples.virtual import at_worst, unmoved
from tl_jax.methods.contract import Example, Method, Own, Terms, View, by_plain, remembered
from tl_jax.methods.vada import vada


def dirt_t(radius: float = 3.5, teacher: float = 0.01, every: float = 1 / 16, decay: float = 0.998) -> Method:
    """L = teacher * CE(q, p_t) + lam * (mean H(p_t) + V_t): boundaries leave the targets, no source is read.

    V: as in `vada`, whose model this begins from. q: what the teacher says, the moving average of the weights as it
    stood when the last `every` of the run began: the refined model may not go far from it in one interval. Predictions
    are those of the average. lam = teacher = .01; decay = .998; every: 5000 of 80000 steps. The authors label other
    targets than those of the batch with q. Shu et al. 2018, arXiv 1802.08735.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        now = {"params": model.params, "stats": model.stats}
        return Own({}, {"average": now, "teacher": now, "interval": jnp.int32(0)})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        p = out["target"].logits
        moved = at_worst(own.moved, {"target": batch.target.x}, at.key, at.values["radius"])
        smooth = unmoved(p, moved["target"].logits)
        return Terms({"teacher": unmoved(out["teacher"].logits, p), "entropy": entropy(p).mean(), "smooth": smooth})

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        memory, now = model.memory, {"params": model.params, "stats": model.stats}
        average = moving_average(memory["average"], now, at.values["decay"])
        interval = jnp.floor(at.progress / at.values["every"]).astype(jnp.int32)
        renewed = lambda new, old: jnp.where(interval > memory["interval"], new, old)
        return {
            "average": average,
            "teacher": jax.tree.map(renewed, average, memory["teacher"]),
            "interval": interval,
        }

    def plain(model: Model, domain: str) -> tuple[Tree, Tree]:
        return remembered(model.memory["average"], domain)

    of_teacher = lambda memory: (memory["teacher"]["params"], memory["teacher"]["stats"])
    return Method(
        terms,
        init,
        views={"target": View("target"), "teacher": View("target", weights=of_teacher, train=False)},
        weights=lambda at: {"teacher": at.values["teacher"]},
        values={"radius": radius, "teacher": teacher, "every": every, "decay": decay},
        lam=0.01,
        after=after,
        predict=by_plain(plain),
        plain=plain,
        start=vada(radius),
    )
