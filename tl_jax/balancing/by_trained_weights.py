"""Weights of task losses with scalars trained beside the network: constructors of `Balance` (contract.py).

The scalars (log-variances, logits of the weights) are trained here, by Adam with a learning rate of their own, on the
derivative written out: the network's optimiser, its weight decay and its schedule do not touch them. Losses that
enter a logarithm or a denominator are floored at 1e-8.
"""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from tl_jax.balancing.contract import Balance, Seen, staying
from tl_jax.core.types import Array

_LEAST = 1e-8


class Trained(NamedTuple):
    """Scalars of the strategy [k] and Adam's moments."""

    x: Array
    opt: Any


class Rated(NamedTuple):
    """GradNorm's memory: trained scalars, reference losses [k], steps with each task [k]."""

    trained: Trained
    reference: Array
    step: Array


def uncertainty(lr: float = 0.025) -> Balance:
    """Homoscedastic uncertainty with trained log-variances s, s = 0 at first.

    min over s of sum_i (exp(-s_i) L_i + s_i) / 2:   w_i = exp(-s_i) / 2,   ds_i = (1 - exp(-s_i) L_i) / 2

    The same factor 1/2 for classification and regression. Kendall et al. 2018, arXiv 1705.07115.
    """

    def weigh(state: Trained, seen: Seen) -> tuple[Array, Trained]:
        w = jnp.exp(-state.x) / 2
        return w, _descend(state, 0.5 - w * seen.losses, lr)

    return Balance(weigh, lambda k, shared: _trained(k, lr))


def imtl_l(lr: float = 0.025) -> Balance:
    """Loss scales trained towards equal scaled losses, s = 0 at first.

    min over s of sum_i exp(s_i) L_i - s_i:   w_i = exp(s_i),   ds_i = exp(s_i) L_i - 1

    Liu et al. 2021, ICLR (IMTL); its other half is `imtl_g`.
    """

    def weigh(state: Trained, seen: Seen) -> tuple[Array, Trained]:
        w = jnp.exp(state.x)
        return w, _descend(state, w * seen.losses - 1, lr)

    return Balance(weigh, lambda k, shared: _trained(k, lr))


def gradnorm(alpha: float = 1.5, lr: float = 0.025, warmup: int = 1) -> Balance:
    """Weights trained until the weighted gradients' norms follow the tasks' pace.

    w = k softmax(p);  min over p of sum_i | w_i ||g_i|| - c_i |,  c_i = mean_j(w_j ||g_j||) rho_i^alpha, detached
    rho_i = (L_i / L_i(0)) / mean_j(L_j / L_j(0))

    Args: alpha >= 0; lr of p; warmup: steps over which L(0) is averaged, p meanwhile as it is. Means are over the
    tasks in the batch.
    Chen et al. 2018, arXiv 1711.02257.
    """

    def weigh(state: Rated, seen: Seen) -> tuple[Array, Rated]:
        k, start = len(seen.losses), state.step < warmup
        there = jnp.ones(k, bool) if seen.present is None else seen.present
        mean = lambda x: jnp.where(there, x, 0.0).sum() / jnp.maximum(there.sum(), 1)
        grown = state.reference + (seen.losses - state.reference) / (state.step + 1)
        reference = jnp.where(start & there, grown, state.reference)
        ratio = seen.losses / jnp.maximum(reference, _LEAST)
        assert seen.gramian is not None
        norms = jnp.sqrt(jnp.maximum(jnp.diagonal(seen.gramian), 0.0))
        share = jax.nn.softmax(state.trained.x)
        goal = mean(k * share * norms) * (ratio / jnp.maximum(mean(ratio), _LEAST)) ** alpha
        slope = jnp.where(there, k * norms * jnp.sign(k * share * norms - goal), 0.0)
        moved = _descend(state.trained, _through_softmax(share, slope), lr)
        trained = staying(moved, state.trained, ~start & there)
        trained = jax.tree.map(lambda new, old: jnp.where(start.all(), old, new), trained, state.trained)
        return k * share, Rated(trained, reference, state.step + there)

    init = lambda k, shared: Rated(_trained(k, lr), jnp.zeros(k), jnp.zeros(k, jnp.int32))
    return Balance(weigh, init, "gramian", sparse=True)


def famo(lr: float = 0.025, decay: float = 1e-3) -> Balance:
    """Equal relative decrease of all losses, from the losses before and after the step alone.

    w_i ~ z_i / L_i, sum w = 1,  z = softmax(p);   dp = (dz/dp)' (log L - log L') + decay p

    L' is the loss of the same batch after the step: this strategy asks for a second forward pass. Lower bounds of
    the losses are taken as zero. Liu et al. 2023, arXiv 2306.03792.
    """

    def weigh(state: Trained, seen: Seen) -> tuple[Array, Trained]:
        w = jax.nn.softmax(state.x) / jnp.maximum(seen.losses, _LEAST)
        return w / w.sum(), state

    def after(state: Trained, losses: Array, later: Array) -> Trained:
        fall = jnp.log(jnp.maximum(losses, _LEAST)) - jnp.log(jnp.maximum(later, _LEAST))
        return _descend(state, _through_softmax(jax.nn.softmax(state.x), fall) + decay * state.x, lr)

    return Balance(weigh, lambda k, shared: _trained(k, lr), after=after)


def _trained(k: int, lr: float) -> Trained:
    x = jnp.zeros(k)
    return Trained(x, optax.adam(lr).init(x))


def _descend(state: Trained, gradient: Array, lr: float) -> Trained:
    updates, opt = optax.adam(lr).update(gradient, state.opt)
    return Trained(state.x + jnp.asarray(updates), opt)


def _through_softmax(share: Array, slope: Array) -> Array:
    """(d softmax(p) / dp)' slope = share (slope - share.slope)."""
    return share * (slope - share @ slope)
