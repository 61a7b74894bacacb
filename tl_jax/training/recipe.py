"""How a run trains, and where one of its steps stands."""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp

from tl_jax.core.keys import named
from tl_jax.core.schedules import LAM_SCHEDULES
from tl_jax.core.types import Array, At, Batch, Labelling, Network
from tl_jax.methods.contract import Method
from tl_jax.training.optimizer import Optimizer, adamw
from tl_jax.training.state import State


class Recipe(NamedTuple):
    """How a run trains: everything about it that is not an array.

    batch_size: examples of each labelled set in a step, target_batch_size: of the target and of what is unlabelled
    beside it (0: as many); options: what the compiler is told of the training program; lengths: to which batches of
    evaluation may be cut (none: they are not).
    """

    network: Network
    method: Method
    plan: str = "joint"
    optimizer: Optimizer = adamw()
    total: int = 600
    batch_size: int = 64
    target_batch_size: int = 0
    lam_schedule: str = "constant"
    lr_schedule: str = "constant"
    clip_norm: float = 0.0
    ema: float = 0.0
    accumulate: int = 1
    labelling: Labelling = Labelling()
    options: tuple[tuple[str, str], ...] = ()
    lengths: tuple[int, ...] = ()
    place_batch: Callable[[Batch], Batch] = lambda batch: batch

    @property
    def batches(self) -> tuple[int, int]:
        """Examples of a step: of each labelled set, and of each unlabelled one."""
        return self.batch_size, self.target_batch_size or self.batch_size


def whereabouts(recipe: Recipe, state: State) -> At:
    """The step's progress, scheduled trade-off and random key."""
    progress = state.step.astype(jnp.float32) / recipe.total
    lam = state.values.get("lam", jnp.zeros(())) * LAM_SCHEDULES[recipe.lam_schedule](progress)
    key = jax.random.fold_in(named(jax.random.key(state.seed), "step"), state.step)
    return At(state.step, progress, lam, state.values, key, labelling=recipe.labelling)


def drawn(at: At, i: int | Array) -> At:
    """Where the i-th gradient step of one training step stands: each has a key of its own, the first the step's."""
    if isinstance(i, int) and i == 0:
        return at
    return at._replace(key=jnp.where(i == 0, at.key, jax.random.fold_in(named(at.key, "phase"), i)))
