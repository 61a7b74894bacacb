"""A network's blocks in the order of use."""

from typing import NamedTuple

import jax

from tl_jax.core.trees import flatten
from tl_jax.core.types import Array, Network
from tl_jax.training.forward import normalised_modules


class Layout(NamedTuple):
    """A network's blocks from input to output (the last is the head) and its normalisation modules.

    A block is a tuple of module paths: a layer with the normalisation after it.
    """

    blocks: tuple[tuple[str, ...], ...]
    norms: tuple[str, ...]


def module_of(path: str) -> str:
    """The module that a parameter's path lies in: right under "backbone", or a whole group ("bottleneck", "head")."""
    parts = path.split("/")
    return "/".join(parts[:2]) if parts[0] == "backbone" else parts[0]


def layout(network: Network, x: Array) -> Layout:
    """The network's layout, found by tracing: parameters are created in the order of use."""
    order: list[str] = []
    norms: list[str] = []

    def trace(x: Array) -> int:
        params, stats = network.init(jax.random.key(0), x)
        order.extend(flatten(params))
        norms.extend(sorted(normalised_modules({"all": stats})))
        return 0

    jax.eval_shape(trace, x)
    blocks: dict[str, None] = {}
    for path in order:
        blocks[module_of(path)] = None
    grouped: list[tuple[str, ...]] = []
    for module in blocks:
        if module in norms and grouped:
            grouped[-1] += (module,)
        else:
            grouped.append((module,))
    return Layout(tuple(grouped), tuple(norms))
