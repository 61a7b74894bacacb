"""A network's blocks in the order of use, and what its modules are given."""

from typing import Any, NamedTuple

import jax

from tl_jax.core.trees import flatten
from tl_jax.core.types import Array, Network, Tree
from tl_jax.training.forward import normalised_modules

BELONGING = frozenset({"", "/scale", "/bias"})
"""What a normalisation of any kind, or a bare parameter, consists of: it is no layer, and goes with the one before."""


class Layout(NamedTuple):
    """A network's blocks from input to output (the last is the head) and its modules of batch normalisation.

    A block is a tuple of paths: a layer, with the normalisation after it and the parameters that belong to no module
    ("backbone/class_token"), which `bare` lists.
    """

    blocks: tuple[tuple[str, ...], ...]
    norms: tuple[str, ...]
    bare: frozenset[str] = frozenset()


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
    modules: dict[str, set[str]] = {}
    for path in order:
        modules.setdefault(module_of(path), set()).add(path.removeprefix(module_of(path)))
    blocks: list[tuple[str, ...]] = []
    for module, leaves in modules.items():
        if blocks and leaves <= BELONGING:
            blocks[-1] += (module,)
        else:
            blocks.append((module,))
    return Layout(tuple(blocks), tuple(norms), frozenset(order) & modules.keys())


def arguments(network: Network, model: tuple[Tree, Tree], x: Array) -> dict[str, tuple[Any, ...]]:
    """{path of a module: what it is given}, as shapes, in the order of use; model: parameters and statistics."""
    given: dict[str, tuple[Any, ...]] = {}

    def note(path: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
        given[path] = args
        return args

    params, stats = model
    jax.eval_shape(lambda params: network.apply(params, stats, x, before=note)[0], params)
    return given
