"""Self-ensembling with a mean teacher."""

import jax
import jax.numpy as jnp

from tl_jax.core.trees import moving_average
from tl_jax.core.types import At, Batch, Model, Outputs, Tree
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms, View, by_plain, remembered


def mean_teacher(decay: float = 0.99, threshold: float = 0.968, balance: float = 0.005) -> Method:
    """L = CE_s + lam * ((1/m) sum [max q > threshold] mean_k (p_k - q_k)^2 + balance * c * B(mean p)).

    p: the student's prediction of a weak view of the target; q: that of its moving average (parameters and
    statistics, decay min(decay, 1 - 1/(step + 2))) of another; B: mean_k BCE(1/c, mean_i p_ik), scaled by
    the share of confident rows. lam = 3. The teacher predicts. The teacher's batch is the target alone; the
    student's is so too but under the forward plans `joint` and `source_then_joint`, where it shares batch statistics
    with the source (the authors' passes are `separate`). French et al. 2018, arXiv 1706.05208, after Tarvainen &
    Valpola 2017, arXiv 1703.01780.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        p = jax.nn.softmax(out["target"].logits)
        q = jax.nn.softmax(out["teacher"].logits)
        mask = (q.max(-1) > at.values["threshold"]).astype(p.dtype)
        consistency = (mask * jnp.square(p - q).mean(-1)).mean()
        used = jnp.clip(p.mean(0), 1e-6, 1 - 1e-6)
        uneven = -(jnp.log(used) + (len(used) - 1) * jnp.log1p(-used)).mean()
        losses = {"source": supervised(out["source"].logits, batch.y, at), "consistency": consistency}
        return Terms({**losses, "balance": mask.mean() * uneven}, {"mask_rate": mask.mean()})

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        slow = jnp.minimum(at.values["decay"], 1 - 1 / (at.step + 2.0))
        return moving_average(model.memory, {"params": model.params, "stats": model.stats}, slow)

    def plain(model: Model, domain: str) -> tuple[Tree, Tree]:
        return remembered(model.memory, domain)

    teacher = View("target", "weak", weights=lambda memory: (memory["params"], memory["stats"]))
    return Method(
        terms,
        init=lambda key, example, model: Own({}, {"params": model.params, "stats": model.stats}),
        views={"source": View("source", "weak"), "target": View("target", "weak"), "teacher": teacher},
        weights=lambda at: {"balance": at.lam * at.values["balance"]},
        values={"decay": decay, "threshold": threshold, "balance": balance},
        lam=3.0,
        after=after,
        predict=by_plain(plain),
        plain=plain,
    )
