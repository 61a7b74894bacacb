"""A simple moving average of the weights along the run."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Model, Outputs, Tree
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Example, Method, Own, Terms, View, by_plain, remembered


def sma(begin: float = 0.02) -> Method:
    """L = mean_k R_k; predictions are those of the mean of the weights after every step from `begin` of the run on.

    a <- a + (theta - a) / (t + 1), t the steps averaged before; a = theta until then. Statistics are averaged, too,
    where the authors keep those of batch normalisation frozen. Domains are joined, as in `erm`; one is enough. begin:
    100 of 5000 steps, as published. `swad` averages as densely, from and to where a validation loss says so. Arpit et
    al. 2022, arXiv 2110.10832.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        return Own({}, {"params": model.params, "stats": model.stats, "steps": jnp.int32(0)})

    def terms(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        return Terms({"source": supervised(out["source"].logits, batch.y, at)})

    def after(model: Model, out: Outputs, batch: Batch, at: At) -> Tree:
        steps, now = model.memory["steps"], {"params": model.params, "stats": model.stats}
        mean = {name: model.memory[name] for name in now}
        moved = jax.tree.map(lambda a, x: a + (x - a) / (steps + 1).astype(x.dtype), mean, now)
        return {**moved, "steps": jnp.where(at.progress < at.values["begin"], 0, steps + 1)}

    def plain(model: Model, domain: str) -> tuple[Tree, Tree]:
        return remembered(model.memory, domain)

    return Method(
        terms,
        init,
        views={"source": View("source")},
        values={"begin": begin},
        lam=None,
        after=after,
        predict=by_plain(plain),
        plain=plain,
        regression=True,
    )
