"""Keys, values and cells of a table as text."""

import re
from collections.abc import Sequence
from typing import Any

from tl_jax.sweep.tables.pivot import Cell, Key

MISSING = "missing"
BETWEEN = r" -> | \+ "
"""What stands between the domains of a pair."""


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


def shortened(names: Sequence[str], keys: Sequence[Key]) -> tuple[list[Key], str]:
    """Keys whose domains leave out what the names of all of them begin with ("office_caltech/"), and what that is.

    Domains stand in keys under "pair" ("a + b -> c"), "source" and "target".
    """
    places = [i for i, name in enumerate(names) if name in ("pair", "source", "target")]
    domains = [one for key in keys for i in places for one in re.split(BETWEEN, str(key[i]))]
    begins = {match[0] if (match := re.match(r".*[/:]", one)) else "" for one in domains}
    start = begins.pop() if len(begins) == 1 else ""
    if not start or len(set(domains)) < 2:
        return list(keys), ""
    cut = lambda text: "".join(part.removeprefix(start) for part in re.split(f"({BETWEEN})", text))
    shown = [tuple(cut(str(one)) if i in places else one for i, one in enumerate(key)) for key in keys]
    return shown, start
