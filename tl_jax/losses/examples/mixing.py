"""Mixtures of examples: what is shared by methods that train on the way from one example to another."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from tl_jax.core.errors import UserError
from tl_jax.core.types import Array, Network, Output, Tree


def shares(key: Array, n: int, alpha: float | Array) -> Array:
    """a ~ Beta(alpha, alpha), a share for each of n examples: [n]. Zhang et al. 2018, arXiv 1710.09412."""
    return jax.random.beta(key, alpha, alpha, (n,))


def mixed(x: Array, other: Array, share: Array) -> Array:
    """share_i x_i + (1 - share_i) x_other(i); x [n, ...], other [n] rows, share [n]."""
    a = share.reshape(-1, *(1,) * (x.ndim - 1)).astype(x.dtype)
    return a * x + (1 - a) * x[other]


def seeing(network: Network, change: Callable[[Array], Array]) -> Network:
    """The network whose passes of training see change(x) in the place of x [n, ...]. UserError for token ids."""

    def apply(params: Tree, stats: Tree, x: Array, **how: Any) -> tuple[Output, Tree]:
        if how.get("train") and not jnp.issubdtype(x.dtype, jnp.floating):
            raise UserError("The method trains on mixtures of examples: token ids cannot be mixed.")
        return network.apply(params, stats, change(x) if how.get("train") else x, **how)

    return Network(network.init, apply)
