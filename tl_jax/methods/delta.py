"""DELTA on the features: fine-tuning that stays near what the first model says of an example."""

import jax.numpy as jnp

from tl_jax.core.types import At, Batch, Outputs
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms, View


def delta() -> Method:
    """L = CE + lam * (1/2n) sum_i ||f_i - f_i^0||^2, f^0 the features of the model that training begins from.

    Both as in inference, without dropout and with the statistics each has stored: zero where training begins, whatever
    the network (with dropout in f^0 or f the features would be drawn to zero). Labels are the target's. The paper
    compares maps of several layers and weighs their channels by the loss without them; here it is the features that
    methods see, all weighed 1. lam = .01; the mean over the batch, where the published code sums, and has the trained
    network's own pass in the place of f. Li et al. 2019, arXiv 1901.09229.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        now = out.get("inference", out["source"])
        moved = jnp.square(now.features - out["reference"].features).sum(1).mean() / 2
        return Terms({"source": supervised(out["source"].logits, batch.y, at), "behaviour": moved})

    reference = View("source", weights=lambda memory: (memory["params"], memory["stats"]), train=False)
    return Method(
        terms,
        init=lambda key, example, model: Own({}, {"params": model.params, "stats": model.stats}),
        views={"source": View("source"), "inference": View("source", train=False), "reference": reference},
        lam=0.01,
        labels="target",
        regression=True,
    )
