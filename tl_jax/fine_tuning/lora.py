"""Low-rank adaptation as a change of the network: its kernels plus a product of two thin matrices."""

import math
from typing import Any

import jax
import jax.numpy as jnp

from tl_jax.core.errors import UserError
from tl_jax.core.keys import named
from tl_jax.core.trees import flatten, unflatten
from tl_jax.core.types import Array, Network, Tree

GROUP = "lora"


def with_lora(network: Network, rank: int, alpha: float) -> Network:
    """The network with W + (alpha / rank) A B in the place of every kernel W but the head's.

    W counts as the matrix [n, d] by which it maps: d are the axes of the bias beside it (heads and their width where
    an attention projects), or the last. A [n, rank] is uniform in +-1/sqrt(n), B [rank, d] is zero, so that training
    begins where the network stands. The pairs are parameters of their own under "lora/<path of the kernel>";
    freezing the rest is the rules' affair. Not adapted: embeddings and the recurrent matrix of a `gru`. Raises
    UserError where nothing is. Hu et al. 2022, arXiv:2106.09685.
    """

    def init(key: Array, x: Array) -> tuple[Tree, Tree]:
        params, stats = network.init(key, x)
        flat, pairs = flatten(params), {}
        for path, kernel in flat.items():
            if path.endswith("/kernel") and not path.startswith("head/"):
                bias = flat.get(path.removesuffix("kernel") + "bias")
                cut = kernel.ndim - (1 if bias is None else bias.ndim)
                n, d = math.prod(kernel.shape[:cut]), math.prod(kernel.shape[cut:])
                limit = 1 / math.sqrt(n)
                a = jax.random.uniform(named(key, path), (n, rank), minval=-limit, maxval=limit)
                pairs |= {f"{path}/a": a, f"{path}/b": jnp.zeros((rank, d))}
        if not pairs:
            raise UserError("lora: nothing under the head of this network has a kernel to adapt. Use full.")
        return {GROUP: unflatten(pairs), **params}, stats

    def apply(params: Tree, stats: Tree, x: Array, **how: Any):
        return network.apply(merged(params, alpha / rank), stats, x, **how)

    return Network(init, apply)


def merged(params: Tree, scale: float) -> Tree:
    """The parameters of the plain network: W + scale A B in the place of W and its pair."""
    rest = {name: value for name, value in params.items() if name != GROUP}
    flat, pairs = flatten(rest), flatten(params[GROUP])
    for path in {pair.rpartition("/")[0] for pair in pairs}:
        change = pairs[f"{path}/a"] @ pairs[f"{path}/b"]
        flat[path] = flat[path] + scale * change.reshape(flat[path].shape)
    return unflatten(flat)
