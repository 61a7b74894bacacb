"""Representation self-challenging: without the features that say most."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Example, Method, Own, Terms, View


def rsc(features: float = 1 / 3, examples: float = 1 / 3) -> Method:
    """L = CE(head(f * m)): the features with the greatest gradient are muted in the examples that they matter most to.

    The gradient of the true class's logit in the features is its column of the linear head, w_y. m_ij = 0 where w_yj is
    at or above the (1 - features) quantile of its row and p_iy - p'_iy, the probability that this mutes (p' of f
    without them), is at or above the (1 - examples) quantile of the batch; else 1. Masks carry no gradient. Domains are
    joined, as in `erm`; one is enough. 1/3 and 1/3 as in the paper and in DomainBed, whose form this is: the paper also
    mutes whole places of feature maps, in half of the batches. Needs a linear head. Huang et al. 2020,
    arXiv 2007.02454.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        mlp.of_linear(model.params["head"], "rsc")
        return Own({}, {})

    def terms(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        f, head = out["source"].features, mlp.of_linear(own.network["head"], "rsc")
        of_class = jax.nn.one_hot(batch.y, out["source"].logits.shape[-1], dtype=f.dtype)
        slopes = of_class @ jax.lax.stop_gradient(head["dense0"]["kernel"]).T
        weak = slopes < jnp.quantile(slopes, 1 - at.values["features"], axis=1, keepdims=True)
        right = lambda logits: (jax.nn.softmax(logits) * of_class).sum(1)
        lost = jax.lax.stop_gradient(right(out["source"].logits) - right(mlp.apply(head, f * weak)))
        spared = lost < jnp.quantile(lost, 1 - at.values["examples"])
        muted = mlp.apply(head, f * (weak | spared[:, None]))
        return Terms({"muted": supervised(muted, batch.y, at)})

    return Method(
        terms,
        init,
        views={"source": View("source")},
        weights=lambda at: {"muted": 1.0},
        values={"features": features, "examples": examples},
        lam=None,
    )
