"""DELTA on the features: fine-tuning that stays near what the first model says of an example."""

import jax.numpy as jnp

from tl_jax.core.losses import supervised
from tl_jax.methods.base import Method, Own, Terms, View


def delta() -> Method:
    """L = CE + lam * (1/2n) sum_i ||f_i - f_i^0||^2, f^0 the features of the model that training begins from.

    Labels are the target's. The paper compares maps of several layers and weighs their channels by the loss
    without them; here it is the features that methods see, all weighed 1. lam = .01; the mean over the batch,
    where the published code sums. Li et al. 2019, arXiv 1901.09229.
    """

    def terms(own, out, batch, at):
        moved = jnp.square(out["source"].features - out["reference"].features).sum(1).mean() / 2
        return Terms({"source": supervised(out["source"].logits, batch.y), "behaviour": moved})

    reference = View("source", weights=lambda memory: (memory["params"], memory["stats"]))
    return Method(
        terms,
        init=lambda key, example, model: Own({}, {"params": model.params, "stats": model.stats}),
        views={"source": View("source"), "reference": reference},
        lam=0.01,
        labels="target",
        regression=True,
    )
