"""A Flax module as two pure functions."""

import jax
from flax import linen as nn

from tl_jax.core.types import Array, Network, Output, Tree
from tl_jax.models.recipe import Frozen


def as_network(module: nn.Module) -> Network:
    """The Network of a module called as module(x, train, frozen) -> Output."""

    def init(key: jax.Array, x: Array) -> tuple[Tree, Tree]:
        variables = module.init(key, x)
        return variables["params"], variables.get("batch_stats", {})

    def apply(
        params: Tree,
        stats: Tree,
        x: Array,
        train: bool = False,
        key: jax.Array | None = None,
        frozen: Frozen = frozenset(),
    ) -> tuple[Output, Tree]:
        variables = {"params": params, "batch_stats": stats}
        if not train:
            return module.apply(variables, x), stats  # pyright: ignore[reportReturnType]
        rngs = {} if key is None else {"dropout": key}
        output, updated = module.apply(variables, x, True, frozen, rngs=rngs, mutable=["batch_stats"])
        return output, updated.get("batch_stats", {})  # pyright: ignore[reportReturnType]

    return Network(init, apply)
