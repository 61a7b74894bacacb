"""The step uphill of sharpness-aware minimisation."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array

Slope = Mapping[str, Array]


def uphill(length: float | Array) -> Callable[[Slope], dict[str, Array]]:
    """A move of that length along the gradient: g -> length * g / |g|, a constant; nowhere where g is 0.

    |g| is of all parameters together. Foret et al. 2021, arXiv 2010.01412.
    """

    def move(slope: Slope) -> dict[str, Array]:
        norm = jnp.sqrt(sum((jnp.square(g).sum() for g in slope.values()), jnp.zeros(())))
        return {path: jax.lax.stop_gradient(length * g / (norm + 1e-12)) for path, g in slope.items()}

    return move
