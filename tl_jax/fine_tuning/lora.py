"""Low-rank adaptation as a change of the network: its kernels plus a product of two thin matrices."""

import math
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Any

import jax
import jax.numpy as jnp

from tl_jax.core.errors import UserError, require
from tl_jax.core.keys import named
from tl_jax.core.trees import flatten, unflatten
from tl_jax.core.types import Array, Network, Tree

GROUP = "lora"
FORMS = ("lora", "rslora", "dora")


def scale_of(rank: int, alpha: float, form: str) -> float:
    """alpha / rank, of "rslora" alpha / sqrt(rank): what stays alike with the rank (Kalajdzievski 2023, 2312.03732)."""
    return alpha / math.sqrt(rank) if form == "rslora" else alpha / rank


def with_lora(network: Network, rank: int, alpha: float, *, form: str = "lora", on: str | tuple = "*") -> Network:
    """The network with W + s A B in the place of the kernels W whose paths match `on`, never the head's.

    W counts as the matrix [n, d] by which it maps: d are the axes of the bias beside it (heads and their width where
    an attention projects), or the last. A [n, rank] is uniform in +-1/sqrt(n), B [rank, d] is zero, so that training
    begins where the network stands. The pairs are parameters of their own under "lora/<path of the kernel>";
    freezing the rest is the rules' affair. s is alpha / rank, of form "rslora" alpha / sqrt(rank). Form "dora": every
    column of W + s A B is brought to a length of its own, which is that of W's at first ("magnitude", the difference);
    the division has no gradient. Not adapted: embeddings and the recurrent matrix of a `gru`. Raises UserError where
    nothing is. Hu et al. 2022, arXiv:2106.09685; Liu et al. 2024, arXiv:2402.09353.
    """
    require("form of lora", form, FORMS)
    patterns = (on,) if isinstance(on, str) else tuple(on)

    def init(key: Array, x: Array) -> tuple[Tree, Tree]:
        params, stats = network.init(key, x)
        flat, pairs = flatten(params), {}
        for path in adapted(flat, patterns):
            kernel, bias = flat[path], flat.get(path.removesuffix("kernel") + "bias")
            cut = kernel.ndim - (1 if bias is None else bias.ndim)
            n, d = math.prod(kernel.shape[:cut]), math.prod(kernel.shape[cut:])
            limit = 1 / math.sqrt(n)
            a = jax.random.uniform(named(key, path), (n, rank), minval=-limit, maxval=limit)
            pairs |= {f"{path}/a": a, f"{path}/b": jnp.zeros((rank, d))}
            pairs |= {f"{path}/magnitude": jnp.zeros(d)} if form == "dora" else {}
        return {GROUP: unflatten(pairs), **params}, stats

    def apply(params: Tree, stats: Tree, x: Array, **how: Any):
        return network.apply(merged(params, scale_of(rank, alpha, form)), stats, x, **how)

    return Network(init, apply)


def adapted(paths: Iterable[str], patterns: tuple[str, ...]) -> list[str]:
    """The kernels under the head that match a pattern. Raises UserError where there is none."""
    kernels = [path for path in paths if path.endswith("/kernel") and not path.startswith("head/")]
    if not kernels:
        raise UserError("lora: nothing under the head of this network has a kernel to adapt. Use full.")
    found = [path for path in kernels if any(fnmatchcase(path, pattern) for pattern in patterns)]
    if not found:
        few = ", ".join(kernels[:6]) + (", ..." if len(kernels) > 6 else "")
        raise UserError(f"lora(on={' '.join(patterns)!r}) matches no kernel of this network, which has {few}.")
    return found


def merged(params: Tree, scale: float) -> Tree:
    """The parameters of the plain network: W + scale A B, as long as its magnitude says, in the place of W."""
    rest = {name: value for name, value in params.items() if name != GROUP}
    flat, pairs = flatten(rest), flatten(params[GROUP])
    for path in {pair.rpartition("/")[0] for pair in pairs}:
        kernel, change = flat[path], pairs[f"{path}/a"] @ pairs[f"{path}/b"]
        new = kernel.reshape(change.shape) + scale * change
        if (more := pairs.get(f"{path}/magnitude")) is not None:
            length = lambda w: jnp.maximum(jnp.sqrt(jnp.square(w).sum(0)), 1e-12)
            wanted = length(kernel.reshape(change.shape)) + more
            new = new * (wanted / jax.lax.stop_gradient(length(new)))[None]
        flat[path] = new.reshape(kernel.shape)
    return unflatten(flat)
