"""Keys, values and inner activations of a transformer times vectors of their own, as a change of the network."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp

from tl_jax.core.errors import UserError
from tl_jax.core.trees import flatten, unflatten
from tl_jax.core.types import Array, Network, Tree

GROUP = "ia3"
INNER = ("dense2", "gate2")
"""The second layer inside a block, which reads the inner activations."""


def with_ia3(network: Network) -> Network:
    """The network with l_k * k, l_v * v in the place of keys and values, and l_f * a of what the last layer of a block
    reads.

    The vectors are parameters of their own under "ia3/<path of the kernel>/scale", 1 at first, so that training begins
    where the network stands; freezing the rest is the rules' affair. Raises UserError where there is no attention.
    Liu et al. 2022, arXiv:2205.05638.
    """

    def init(key: Array, x: Array) -> tuple[Tree, Tree]:
        params, stats = network.init(key, x)
        scales = {f"{path}/scale": jnp.ones(size) for path, size in scaled(flatten(params)).items()}
        if not scales:
            raise UserError("ia3: this network has no attention whose keys and values to scale. Use lora or adapter.")
        return {GROUP: unflatten(scales), **params}, stats

    def apply(params: Tree, stats: Tree, x: Array, **how: Any):
        return network.apply(merged(params), stats, x, **how)

    return Network(init, apply)


def scaled(flat: Mapping[str, Array]) -> dict[str, int]:
    """{kernel: how many numbers scale it}; of queries, keys and values side by side the last two thirds are scaled."""
    blocks = {path.partition("/attention/")[0] for path in flat if "/attention/" in path}
    found = {}
    for path, kernel in flat.items():
        block, _, part = path.removesuffix("/kernel").rpartition("/")
        if not path.endswith("/kernel"):
            continue
        if block.endswith("/attention") and part == "qkv":
            found[path] = kernel.shape[-1] // 3 * 2
        elif block.endswith("/attention") and part in ("key", "value"):
            found[path] = kernel[0].size
        elif block in blocks and part in INNER:
            found[path] = kernel.shape[0]
    return found


def merged(params: Tree) -> Tree:
    """The parameters of the plain network: kernels and biases times their vectors."""
    rest = {name: value for name, value in params.items() if name != GROUP}
    flat = flatten(rest)
    for name, scale in flatten(params[GROUP]).items():
        path = name.removesuffix("/scale")
        kernel, bias = flat[path], path.removesuffix("kernel") + "bias"
        if path.split("/")[-2] in INNER:
            flat[path] = kernel * scale[:, None]
            continue
        outputs = kernel.shape[1:]
        whole = jnp.concatenate([jnp.ones(kernel[0].size - scale.size, scale.dtype), scale]).reshape(outputs)
        flat[path] = kernel * whole[None]
        if bias in flat:
            flat[bias] = flat[bias] * whole
    return unflatten(flat)
