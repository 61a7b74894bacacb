"""Learned tokens beside those of an image, as a change of the network."""

import math
import re
from typing import Any

import jax
import jax.numpy as jnp

from tl_jax.core.errors import UserError
from tl_jax.core.keys import named
from tl_jax.core.trees import flatten, unflatten
from tl_jax.core.types import Array, Network, Tree
from tl_jax.fine_tuning.layout import arguments

GROUP = "vpt"
BLOCK = re.compile(r"backbone/block\d+")


def with_prompts(network: Network, count: int, deep: bool) -> Network:
    """The network whose blocks of tokens [n, t, d] see `count` learned ones before them, [n, count + t, d].

    deep: every block has its own and what it gives of them is left out; else those of the first block go through all.
    What follows the last block sees none. They are uniform in +-sqrt(3 / d), parameters of their own under
    "vpt/<path of the block>/prompts"; freezing the rest is the rules' affair. Raises UserError where blocks take
    anything but tokens. Jia et al. 2022, arXiv:2203.12119.
    """

    def init(key: Array, x: Array) -> tuple[Tree, Tree]:
        params, stats = network.init(key, x)
        each = arguments(network, (params, stats), x)
        given = {path: args for path, args in each.items() if BLOCK.fullmatch(path)}
        if not given or any(len(args) != 1 or args[0].ndim != 3 for args in given.values()):
            raise UserError(
                "vpt: the blocks of this network do not take the tokens of images alone. Use lora or adapter."
            )
        prompts = {}
        for path, args in list(given.items())[: None if deep else 1]:
            shape = (count, args[0].shape[-1])
            limit = math.sqrt(3 / shape[1])
            drawn = jax.random.uniform(named(key, f"{GROUP}/{path}"), shape, minval=-limit, maxval=limit)
            prompts[f"{path}/prompts"] = drawn
        return {GROUP: unflatten(prompts), **params}, stats

    def apply(params: Tree, stats: Tree, x: Array, **how: Any):
        prompts = {name.removesuffix("/prompts"): p for name, p in flatten(params[GROUP]).items()}
        rest = {name: value for name, value in params.items() if name != GROUP}
        blocks = sorted(f"backbone/{name}" for name in rest["backbone"] if BLOCK.fullmatch(f"backbone/{name}"))
        last = prompts if deep else (max(blocks, key=lambda path: int(path.removeprefix("backbone/block"))),)
        then, first = how.pop("after", None), how.pop("before", None)

        def before(path: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
            args = first(path, args) if first else args
            if path not in prompts:
                return args
            tokens = args[0]
            own = prompts[path].astype(tokens.dtype)[None]
            own = jnp.broadcast_to(own, (tokens.shape[0], *own.shape[1:]))
            return (jnp.concatenate([own, tokens], axis=1),)

        def after(path: str, y: Array) -> Array:
            y = y[:, count:] if path in last else y
            return then(path, y) if then else y

        return network.apply(rest, stats, x, **how, before=before, after=after)

    return Network(init, apply)
