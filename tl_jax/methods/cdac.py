"""Cross-domain adaptive clustering: few labelled targets, and pairs of those without a label."""

import jax
import jax.numpy as jnp

from tl_jax.core.keys import named
from tl_jax.core.schedules import sigmoid_rampup
from tl_jax.core.types import Array, At, Batch, Outputs
from tl_jax.losses import heads
from tl_jax.losses.classes import gradient_reversal, pseudo_label_loss, supervised
from tl_jax.methods.contract import Method, Own, Terms, View


def cdac(ranks: int = 5, threshold: float = 0.95, consistency: float = 30.0) -> Method:
    """L = CE + lam * (-AAC) + FixMatch_t + w(p) * mean (p'_ik - p''_ik)^2: pairs of targets, head against trunk.

    AAC = -(1/m^2) sum_ij s_ij log(p_i . p'_j) + (1 - s_ij) log(1 - p_i . p'_j) of features whose gradient is reversed:
    the head parts similar targets, the trunk gathers them. s_ij = 1 where the `ranks` greatest features of i and j are
    the same ones. p: the plain view, p', p'': two strong ones; FixMatch_t labels p'' by p at `threshold`. CE is of all
    labelled examples, of the target's too (`--labels_per_class`). w rises to `consistency` within .4 of the run
    (theirs: 20000 of 50000 steps). lam = 1, ranks = 5. Their head is a cosine of temperature .05
    (`--network=NAME(head='cosine')`), and CE takes a step of its own. Li et al. 2021, arXiv 2104.09415.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        t, one, two = (out[name] for name in ("target", "one", "two"))
        reverse = lambda f, name: heads.apply(own.network["head"], gradient_reversal(f, 1.0), named(at.key, name))
        p, q = (jax.nn.softmax(reverse(x.features, name)) for name, x in (("p", t), ("q", one)))
        alike = similar(t.features, ranks).astype(p.dtype)
        pseudo, mask = pseudo_label_loss(two.logits, t.logits, at.values["threshold"])
        apart = jnp.square(jax.nn.softmax(one.logits) - jax.nn.softmax(two.logits)).mean()
        return Terms(
            {
                "classes": supervised(out["source"].logits, batch.y, at),
                "clusters": -pairwise(p, q, alike),
                "pseudo": pseudo,
                "consistency": apart,
            },
            {"mask_rate": mask, "pairs": alike.mean()},
        )

    def weights(at: At) -> dict[str, Array | float]:
        return {
            "classes": 1.0,
            "pseudo": 1.0,
            "consistency": at.values["consistency"] * sigmoid_rampup(at.progress, 0.4),
        }

    views = {"source": View("source"), "target": View("target")}
    strong = {name: View("target", "strong") for name in ("one", "two")}
    values = {"threshold": threshold, "consistency": consistency}
    return Method(terms, views=views | strong, weights=weights, values=values)


def similar(features: Array, ranks: int) -> Array:
    """Whether the greatest entries of two rows of [n, d] are at the same places: [n, n] bool."""
    places = jax.lax.top_k(features, min(ranks, features.shape[1]))[1]
    sets = jax.nn.one_hot(places, features.shape[1]).sum(1)
    return sets @ sets.T > min(ranks, features.shape[1]) - 0.5


def pairwise(p: Array, q: Array, alike: Array) -> Array:
    """Binary cross-entropy of p_i . q_j with alike_ij; p [n, c], q [m, c], alike [n, m], 0 or 1. Returns a scalar."""
    dot = jnp.clip(p @ q.T, 1e-7, 1 - 1e-7)
    return -(alike * jnp.log(dot) + (1 - alike) * jnp.log1p(-dot)).mean()
