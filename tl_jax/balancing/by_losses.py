"""Weights of task losses from the losses themselves, nothing trained: constructors of `Balance` (contract.py)."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from tl_jax.balancing.contract import Balance, Seen
from tl_jax.core.errors import UserError
from tl_jax.core.types import Array, Tree

_LEAST = 1e-8
"""Losses that enter a logarithm or a denominator are floored at this."""


class Averages(NamedTuple):
    """Running sum over the current epoch, its batches with the task, the means of the last two epochs, all [k]; steps
    in the current epoch, epochs."""

    running: Array
    count: Array
    last: Array
    before: Array
    steps: Array
    epochs: Array


def equal() -> Balance:
    """The plain sum of the losses: w_i = 1. Kurin et al. 2022, arXiv 2201.04122: tune its regularisation first."""
    return Balance(lambda state, seen: (jnp.ones_like(seen.losses), state))


def mean() -> Balance:
    """The mean of the losses: w_i = 1 / k."""
    return Balance(lambda state, seen: (jnp.full_like(seen.losses, 1 / len(seen.losses)), state))


def fixed(weights: tuple = (1.0, 1.0)) -> Balance:
    """Given weights, in the order of the tasks. Raises UserError at `init` if their number is not that of tasks."""

    def init(k: int, shared: Tree) -> tuple:
        if len(weights) != k:
            raise UserError(f"fixed(weights={weights}) has {len(weights)} weights for {k} tasks. Give one per task.")
        return ()

    return Balance(lambda state, seen: (jnp.asarray(weights, seen.losses.dtype), state), init)


def dwa(temperature: float = 2.0, every: int = 100) -> Balance:
    """Dynamic weight average: more for the tasks whose loss fell least from the epoch before the last to the last.

    w = k softmax(r / T),   r_i = L_i(e - 1) / L_i(e - 2);   w = 1 in the first two epochs

    Args: temperature > 0; every: steps in an epoch, over which losses are averaged, each over the batches that have
    the task. Liu et al. 2019, arXiv 1803.10704.
    """

    def weigh(state: Averages, seen: Seen) -> tuple[Array, Averages]:
        k = len(seen.losses)
        ratio = state.last / jnp.maximum(state.before, _LEAST)
        w = jnp.where(state.epochs >= 2, k * jax.nn.softmax(ratio / temperature), 1.0)
        there = jnp.ones(k, bool) if seen.present is None else seen.present
        running, count = state.running + jnp.where(there, seen.losses, 0.0), state.count + there
        ended = state.steps + 1 >= every
        mean = jnp.where(count > 0, running / jnp.maximum(count, 1), state.last)
        return w, Averages(
            running=jnp.where(ended, 0.0, running),
            count=jnp.where(ended, 0, count),
            last=jnp.where(ended, mean, state.last),
            before=jnp.where(ended, state.last, state.before),
            steps=jnp.where(ended, 0, state.steps + 1),
            epochs=state.epochs + ended,
        )

    def begin(k: int, shared: Tree) -> Averages:
        return Averages(jnp.zeros(k), jnp.zeros(k, jnp.int32), jnp.ones(k), jnp.ones(k), jnp.int32(0), jnp.int32(0))

    return Balance(weigh, begin, sparse=True)


def rlw() -> Balance:
    """Random weights, a new draw each step.

    w = k softmax(z),   z_i ~ N(0, 1).   The mean weight is 1; the paper's is 1 / k

    Lin et al. 2022, arXiv 2111.10603.
    """

    def weigh(state: Any, seen: Seen) -> tuple[Array, Any]:
        z = jax.random.normal(seen.key, seen.losses.shape, seen.losses.dtype)
        return len(z) * jax.nn.softmax(z), state

    return Balance(weigh)


def gls() -> Balance:
    """The geometric mean of the losses, by its gradient.

    grad (prod_i L_i)^(1/k) = sum_i w_i grad L_i,   w_i = (prod_j L_j)^(1/k) / (k L_i), through logarithms

    Losses must be positive. Chennupati et al. 2019, arXiv 1904.08492.
    """

    def weigh(state: Any, seen: Seen) -> tuple[Array, Any]:
        logs = jnp.log(jnp.maximum(seen.losses, _LEAST))
        return jnp.exp(logs.mean() - logs) / len(logs), state

    return Balance(weigh)
