"""What a table of names is made of."""

from collections.abc import Callable
from typing import NamedTuple

from tl_jax.models.names.layouts import Layout


class Rule(NamedTuple):
    """A pattern for our path of a module or parameter, and its name in the file, from the numbers in it."""

    pattern: str
    name: Callable[..., str | tuple[str, ...]]
    layout: Layout | None = None


class Naming(NamedTuple):
    """Rules for paths below "backbone/", what a full model's file puts before them, and the linear head's name.

    beside: a pattern of what else such a file holds, that the features do not go through.
    """

    rules: tuple[Rule, ...]
    head: str
    prefix: str = ""
    beside: str = ""


def fixed(pattern: str, name: str | tuple[str, ...], layout: Layout | None = None) -> Rule:
    """A rule without numbers."""
    return Rule(pattern, lambda: name, layout)
