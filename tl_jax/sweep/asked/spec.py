"""The points of a sweep from a Python file: what its `plan()` gives, each a dictionary of names and values."""

from collections.abc import Iterable, Mapping
from typing import Any

from tl_jax.core.errors import UserError
from tl_jax.naming.own_code import digests, function, mistakes
from tl_jax.sweep.asked.space import MOST, Asked, Point
from tl_jax.sweep.asked.values import typed

NAME = "plan"


def points_of(place: str, asked: Asked) -> list[Point]:
    """Every point once, in order: {'method': 'dann', 'lam': 0.1}, ...

    Raises UserError for what else was asked for, for whatever the file raises, with its line, and for a value that a
    Config cannot have.
    """
    if any(asked._replace(seed=0)):
        raise UserError(f"--spec={place} gives all points: leave out --over, --together, --only, --pairs and --draws.")
    if not place.endswith(".py"):
        raise UserError(f"--spec={place}: name a Python file with a function {NAME}(), as in --spec=my_sweep.py.")
    given = function(place, NAME, "function")
    with mistakes(f"{place}:"):
        found: dict[str, Point] = {}
        for number, one in enumerate(_iterated(place, given()), 1):
            point = _point(f"{place}, point {number}", one)
            found.setdefault(repr(sorted(point.items())), point)
            if len(found) > MOST:
                raise UserError(f"{place}: these are more than {MOST} points: give fewer.")
    if not found:
        raise UserError(f"{place}: {NAME}() gives no point.")
    return list(found.values())


def said(place: str) -> dict[str, str]:
    """{file: digest} of the file and of those beside it that it imports."""
    return digests([f"{place}:{NAME}"]) if place else {}


def _iterated(place: str, found: Any) -> Iterable[Any]:
    if isinstance(found, str | Mapping) or not isinstance(found, Iterable):
        raise UserError(
            f"{place}: {NAME}() gives a {type(found).__name__}; a list or a generator of points is needed, each a "
            "dictionary as in {'method': 'dann', 'lam': 0.1}."
        )
    return found


def _point(where: str, one: Any) -> Point:
    if not isinstance(one, Mapping) or not all(isinstance(name, str) for name in one):
        raise UserError(f"{where} is no dictionary of names and values, as in {{'method': 'dann', 'lam': 0.1}}.")
    try:
        return {name: typed(name, _plain(value)) for name, value in one.items()}
    except UserError as error:
        raise UserError(f"{where}: {error}") from None


def _plain(value: Any) -> Any:
    """Numbers of NumPy's as Python's, lists as tuples."""
    if isinstance(value, list | tuple):
        return tuple(map(_plain, value))
    return value.item() if hasattr(value, "item") and not getattr(value, "shape", ()) else value
