"""Bottleneck adapters as a change of the network: a thin residual layer after every block of the trunk."""

import math
from collections.abc import Iterable
from typing import Any

import jax
import jax.numpy as jnp

from tl_jax.core.errors import UserError
from tl_jax.core.keys import named
from tl_jax.core.trees import flatten, unflatten
from tl_jax.core.types import Array, Network, Tree
from tl_jax.fine_tuning.layout import module_of

GROUP = "adapter"


def with_adapters(network: Network, width: int) -> Network:
    """The network with h + relu(h D + d) U + u in the place of the output h [..., c] of every block.

    A block is a module of the trunk right under "backbone" that has a kernel, or the bottleneck. D [c, width] is
    uniform in +-1/sqrt(c), U [width, c] and the biases are zero, so that training begins where the network stands. They
    are parameters of their own under "adapter/<path of the block>"; freezing the rest is the rules' affair.
    A block is as `layout` cuts the network: a stage of a ResNet or ConvNeXt gets one. Raises UserError where there is
    no block. Houlsby et al. 2019, arXiv:1902.00751.
    """

    def init(key: Array, x: Array) -> tuple[Tree, Tree]:
        params, stats = network.init(key, x)
        blocks, widths = adapted(flatten(params)), {}

        def note(path: str, h: Array) -> Array:
            if path in blocks:
                widths[path] = h.shape[-1]
            return h

        jax.eval_shape(lambda params: network.apply(params, stats, x, after=note)[0], params)
        if not widths:
            raise UserError("adapter: this network has no block under the head to adapt. Use full or linear_probe.")
        layers = {}
        for path, c in widths.items():
            limit = 1 / math.sqrt(c)
            down = jax.random.uniform(named(key, f"{GROUP}/{path}"), (c, width), minval=-limit, maxval=limit)
            layers |= {f"{path}/down/kernel": down, f"{path}/down/bias": jnp.zeros(width)}
            layers |= {f"{path}/up/kernel": jnp.zeros((width, c)), f"{path}/up/bias": jnp.zeros(c)}
        return {GROUP: unflatten(layers), **params}, stats

    def apply(params: Tree, stats: Tree, x: Array, **how: Any):
        flat = flatten(params[GROUP])

        def after(path: str, h: Array) -> Array:
            if f"{path}/up/kernel" not in flat:
                return h
            down, up = ((flat[f"{path}/{part}/kernel"], flat[f"{path}/{part}/bias"]) for part in ("down", "up"))
            dense = lambda x, layer: x @ layer[0] + layer[1].reshape((1,) * (x.ndim - 1) + (-1,))
            return h + dense(jax.nn.relu(dense(h.astype(jnp.float32), down)), up).astype(h.dtype)

        rest = {name: value for name, value in params.items() if name != GROUP}
        return network.apply(rest, stats, x, **how, after=after)

    return Network(init, apply)


def adapted(paths: Iterable[str]) -> set[str]:
    """The blocks that get an adapter, from the paths of all parameters."""
    return {module_of(path) for path in paths if path.endswith("/kernel") and not path.startswith("head/")}
