"""Sharpness-aware and reliable entropy minimisation: flat minima, and a way back from collapse."""

from collections.abc import Mapping

import jax
import jax.numpy as jnp

from tl_jax.core.trees import flatten, unflatten
from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses.classes import entropy, mean_where
from tl_jax.losses.sharpness import uphill
from tl_jax.methods.contract import (
    NORMALISATION_ALONE,
    Example,
    Method,
    Own,
    Restored,
    Terms,
    View,
    by_own_batch,
    normalising,
)


def sar(margin: float = 0.4, rho: float = 0.05, recovery: float = 0.2, lr: float = 1e-3) -> Method:
    """L = mean H_i at theta + rho g / |g|, over the reliable: H_i < margin ln c at theta, and again there.

    g: the gradient at theta of the mean H of those reliable at theta; no derivative is taken through it. Scales and
    biases of normalisation move. An average e <- .9 e + .1 L over the batches that kept any example, begun with the
    first: where e < recovery, parameters and optimiser are put back to the source model, and e begins anew. Two slips
    of the authors' code are mended: there the threshold is .2 whatever is asked for, and the low e is put back after
    the reset, so that it resets again and again. Theirs freezes the last blocks, too (--freeze does). margin = .4,
    rho = .05, recovery = .2; lr = 1e-3, theirs with SGD. Niu et al. 2023, arXiv 2302.12400.
    """

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        logits = out["target"].logits
        most = at.values["margin"] * jnp.log(logits.shape[1])
        reliable = lambda h: jax.lax.stop_gradient((h < most).astype(h.dtype))
        first = reliable(entropy(logits))

        there = own.lookahead(lambda seen: mean_where(entropy(seen["target"].logits), first), uphill(at.values["rho"]))
        h = entropy(there["target"].logits)
        second = first * reliable(h)
        return Terms({"entropy": mean_where(h, second)}, {"kept": second.mean()})

    def init(key: Array, example: Example, model: Model) -> Own:
        return Own({}, {"begun": normalising(model.params), "average": jnp.full((), jnp.inf, example.logits.dtype)})

    def restore(model: Model, logged: Mapping[str, Array], at: At) -> Restored:
        old, new = model.memory["average"], logged["entropy"]
        moved = jnp.where(jnp.isfinite(old), 0.9 * old + 0.1 * new, new)
        average = jnp.where(logged["kept"] > 0, moved, old)
        lost = average < at.values["recovery"]
        now, begun = flatten(model.params), model.memory["begun"]
        back = {path: jnp.where(lost, x, now[path]) for path, x in begun.items()}
        memory = {"begun": begun, "average": jnp.where(lost, jnp.inf, average)}
        return Restored(unflatten({**now, **back}), memory, lost)

    return Method(
        terms,
        init=init,
        views={"target": View("target")},
        weights=lambda at: {"entropy": 1.0},
        values={"margin": margin, "rho": rho, "recovery": recovery, "lr": lr},
        lam=None,
        restore=restore,
        freeze=NORMALISATION_ALONE,
        predict=by_own_batch,
        labels="none",
    )
