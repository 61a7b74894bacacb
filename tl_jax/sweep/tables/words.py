"""Keys, values and cells of a table as text."""

from collections.abc import Sequence
from typing import Any

from tl_jax.sweep.tables.pivot import Cell, Key

MISSING = "missing"


def number(value: Any) -> str:
    """A value as people write it."""
    return "-" if value is None else f"{value:g}" if isinstance(value, float) else str(value)


def said(key: Key) -> str:
    """'dann, 0.1'."""
    return ", ".join(map(number, key))


def named(names: Sequence[str], key: Key) -> str:
    """'near -> far', 'lam=0.1', 'no lam': numbers with their name."""
    return ", ".join(
        f"no {name}" if one is None else f"{name}={number(one)}" if isinstance(one, int | float) else number(one)
        for name, one in zip(names, key, strict=True)
    )


def settled(cell: Cell) -> str:
    """'lam=0.1': what was chosen for it."""
    return ", ".join(f"{name}={number(value)}" for name, value in cell.chosen.items() if value is not None)


def listed(keys: Sequence[Key], names: Sequence[str]) -> str:
    """The first few of rows or columns."""
    more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
    return "; ".join(named(names, key) for key in keys[:5]) + more
