"""Noisy student: each model is the next one's teacher, and learns from more."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from tl_jax.core.trees import flatten, unflatten
from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Example, Method, Own, Restored, Terms, View


def noisy_student(rounds: float = 4.0, threshold: float = 0.3) -> Method:
    """L = CE_s + lam * (1/m) sum_i [max q_i > threshold] CE(q_i, p_i): a teacher's labels of plain targets, p strong.

    The run has `rounds` parts: a first model is trained on the source alone; then every model teaches the next, which
    begins where the run began, with an optimiser of its own. Labels q are soft; noise is in the views of both domains
    and in the network's dropout, the teacher has none. Every part is a training of its own: give as many times the
    steps. lam = 1; threshold = .3, three students. By choice otherwise:
    students are no larger than their teachers and no class is filled up; running statistics go on. Xie et al. 2020,
    arXiv 1911.04252.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        now = {"params": model.params, "stats": model.stats}
        return Own({}, {"begun": model.params, "teacher": now, "round": jnp.int32(0)})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        q = jax.nn.softmax(out["teacher"].logits)
        sure = (q.max(1) > at.values["threshold"]).astype(q.dtype)
        each = -(q * jax.nn.log_softmax(out["target"].logits)).sum(1)
        losses = {"source": supervised(out["source"].logits, batch.y, at), "pseudo": (sure * each).mean()}
        return Terms(losses, {"mask_rate": sure.mean()})

    def restore(model: Model, logged: Mapping[str, Array], at: At) -> Restored:
        memory, now = model.memory, {"params": model.params, "stats": model.stats}
        number = jnp.floor(at.progress * at.values["rounds"]).astype(jnp.int32)
        over = number > memory["round"]
        choose = lambda new, old: jax.tree.map(lambda a, b: jnp.where(over, a, b), new, old)
        params = choose(flatten(memory["begun"]), flatten(model.params))
        teacher = choose(now, memory["teacher"])
        return Restored(unflatten(params), {**memory, "teacher": teacher, "round": number}, over)

    views = {
        "source": View("source", "strong"),
        "target": View("target", "strong"),
        "teacher": View("target", weights=lambda m: (m["teacher"]["params"], m["teacher"]["stats"]), train=False),
    }
    return Method(
        terms,
        init,
        views=views,
        weights=lambda at: {"pseudo": jnp.where(at.progress * at.values["rounds"] < 1, 0.0, at.lam)},
        values={"rounds": rounds, "threshold": threshold},
        restore=restore,
    )
