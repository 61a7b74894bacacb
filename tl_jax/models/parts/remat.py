"""Memory for time: a training pass whose activations inside a block are computed again in the backward pass."""

import re
from collections.abc import Callable
from typing import Any

import jax
from flax import linen as nn

from tl_jax.core.types import Array, Network, Tree

BLOCK = re.compile(r"(block|layer)\d+")
"""Names of the modules of which the input alone is kept."""


def recomputing(network: Network) -> Network:
    """The network that keeps of a training pass what goes into its blocks, and computes what is inside again.

    The same function and the same draws, to rounding; a network without a block is as it was. Chen et al. 2016,
    arXiv:1604.06174.
    """

    def apply(params: Tree, stats: Tree, x: Array, train: bool = False, key: Array | None = None, **how: Any):
        if not train:
            return network.apply(params, stats, x, **how)
        with nn.intercept_methods(_again()):
            return network.apply(params, stats, x, train=True, key=key, **how)

    return Network(network.init, apply)


def _again() -> Callable:
    """Flax's hook around every method, that lifts the calls of blocks into `jax.checkpoint`."""
    inside = [False]

    def interceptor(run: Callable, args: tuple, kwargs: dict, context: nn.module.InterceptorContext):
        module = context.module
        if inside[0] or context.method_name != "__call__" or not BLOCK.fullmatch(module.name or ""):
            return run(*args, **kwargs)
        # The rest (whether it trains, what is frozen, a mask) is closed over: it is no array, or has no slope.
        x, *rest = args
        inside[0] = True
        try:
            return nn.remat(lambda module, x: module(x, *rest, **kwargs))(module, x)
        finally:
            inside[0] = False

    return interceptor


def compiler_options(remat: bool) -> tuple[tuple[str, str], ...]:
    """What the compiler has to be told: for a CPU it would find that a block is computed twice, and keep the first."""
    on = remat and jax.default_backend() == "cpu"
    return (("xla_disable_hlo_passes", "cse_barrier_expander"),) if on else ()
