"""Parameter trees as flat dicts: nested {"a": {"b": x}} <-> {"a/b": x}."""

from collections.abc import Mapping
from typing import Any

import jax


def flatten(tree: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """{"a": {"b": x}} -> {"a/b": x}; empty sub-dicts vanish."""
    flat = {}
    for name, value in tree.items():
        path = f"{prefix}/{name}" if prefix else name
        if isinstance(value, Mapping):
            flat |= flatten(value, path)
        else:
            flat[path] = value
    return flat


def unflatten(flat: Mapping[str, Any]) -> dict[str, Any]:
    """{"a/b": x} -> {"a": {"b": x}}."""
    tree: dict[str, Any] = {}
    for path, value in flat.items():
        *parents, leaf = path.split("/")
        node = tree
        for name in parents:
            node = node.setdefault(name, {})
        node[leaf] = value
    return tree


def moving_average(old: Any, new: Any, decay: Any) -> Any:
    """decay * old + (1 - decay) * new, leaf by leaf."""
    return jax.tree.map(lambda a, b: decay * a + (1 - decay) * b, old, new)


def size_of(tree: Any) -> tuple[int, int]:
    """(number of scalars, bytes) of a tree of arrays or shape structs."""
    leaves = jax.tree.leaves(tree)
    return sum(x.size for x in leaves), sum(x.size * x.dtype.itemsize for x in leaves)
