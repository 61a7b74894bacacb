"""Learning without forgetting: the old head goes on saying what it said."""

import jax

from tl_jax.core.errors import require
from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Example, Method, Own, Terms, View


def lwf(temperature: float = 3.0, form: str = "paper") -> Method:
    """L = CE + lam * T^2 CE(softmax(g^0 / T), softmax(h(f) / T)), g^0 the source's logits by the model it begins from.

    h begins as the source's head; f and g^0 as in inference, without dropout and with the statistics each has stored,
    so that the two agree where training begins. T = 3 and T^2 are choices: T as in the library, T^2 to keep the
    gradient's scale. Labels are the target's. form="tllib": h stays as it is, no T^2, and the entropy of the first is
    subtracted (a Kullback-Leibler divergence). lam = 1 (tllib: 4). Li & Hoiem 2016, arXiv 1606.09282; Hinton et al.
    2015, arXiv 1503.02531.
    """
    require("form of lwf", form, ("paper", "tllib"))

    def init(key: Array, example: Example, model: Model) -> Own:
        head = mlp.of_linear(model.own["head"], "lwf")
        memory = {"params": model.params, "stats": model.stats, "head": head}
        return Own({"head": head} if form == "paper" else {}, memory)

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        soft, now = at.values["temperature"], out.get("inference", out["source"])
        head = own.params["head"] if form == "paper" else own.memory["head"]
        log_p = jax.nn.log_softmax(mlp.apply(head, now.features) / soft)
        log_q = jax.nn.log_softmax(mlp.apply(own.memory["head"], out["reference"].features) / soft)
        # The library subtracts the old head's entropy: a constant where h stays as it is, so no gradient of it.
        less = 0.0 if form == "paper" else log_q
        kept = (jax.numpy.exp(log_q) * (less - log_p)).sum(1).mean()
        kept = kept * soft**2 if form == "paper" else kept
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "distillation": kept})

    reference = View("source", weights=lambda memory: (memory["params"], memory["stats"]), train=False)
    return Method(
        terms,
        init,
        views={"source": View("source"), "inference": View("source", train=False), "reference": reference},
        values={"temperature": temperature},
        lam=1.0 if form == "paper" else 4.0,
        labels="target",
        source_head=True,
    )
