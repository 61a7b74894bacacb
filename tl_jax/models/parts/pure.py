"""A Flax module as two pure functions."""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any

import jax
from flax import linen as nn

from tl_jax.core.types import Array, Network, Output, Tree
from tl_jax.models.parts.recipe import Frozen

Before = Callable[[str, tuple[Any, ...]], tuple[Any, ...]]
After = Callable[[str, Array], Array]


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
        mixed: Tree = None,
        before: Before | None = None,
        after: After | None = None,
    ) -> tuple[Output, Tree]:
        variables = {"params": params, "batch_stats": stats, **({"mixed": mixed} if train and mixed else {})}
        plain = before is None and after is None
        with contextlib.nullcontext() if plain else nn.intercept_methods(_changing(before, after)):
            if not train:
                return module.apply(variables, x), stats  # pyright: ignore[reportReturnType]
            rngs = {} if key is None else {"dropout": key}
            output, updated = module.apply(variables, x, True, frozen, rngs=rngs, mutable=["batch_stats"])
            return output, updated.get("batch_stats", {})  # pyright: ignore[reportReturnType]

    return Network(init, apply)


def _changing(before: Before | None, after: After | None) -> Callable:
    """Flax's hook around every method of every module, for what modules are given and give when they are called."""

    def interceptor(run: Callable, args: tuple, kwargs: dict, context: nn.module.InterceptorContext):
        if context.method_name != "__call__":
            return run(*args, **kwargs)
        path = "/".join(context.module.path)
        output = run(*(before(path, args) if before else args), **kwargs)
        if after is None:
            return output
        return jax.tree.map(partial(after, path), output)  # of a recurrent layer: all states and the last one

    return interceptor
