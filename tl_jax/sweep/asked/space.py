"""What a sweep crosses: from the texts of its flags to points, each with one value of every name.

The right side of a flag is the argument list of a Python call (see `read.py`): literals, names and calls of methods and
networks, and the functions of GRIDS and DRAWN.
"""

import ast
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from tl_jax.core.errors import UserError, require, unknown
from tl_jax.data.benchmarks.table import BENCHMARKS
from tl_jax.data.load import DIGITS
from tl_jax.sweep.asked.numbers import DRAWN, chance
from tl_jax.sweep.asked.read import arguments, function_of, literal, numbers_of, sides, value_of, values_of
from tl_jax.sweep.asked.values import is_number, typed

Point = dict[str, Any]
MOST = 200_000
"""Points of a sweep."""
SETS: Mapping[str, tuple[str, ...]] = {
    "digits": tuple(f"digits:{name}" for name in list(DIGITS)[:3]),
    **{name: tuple(f"{name}/{one}" for one in b.domains) for name, b in BENCHMARKS.items() if len(b.domains) > 1},
}
"""Domains of one benchmark, all of the same classes, for --pairs and --leave_out."""


class Axis(NamedTuple):
    """Names that take values together: rows(i) -> their values, one row each; i: of the draw, where they are random.

    drawn: the function of DRAWN and its ends, of random values.
    """

    names: tuple[str, ...]
    rows: Callable[[int], list[tuple]]
    drawn: tuple[Any, ...] = ()

    @property
    def random(self) -> bool:
        """Whether it has another value for every draw."""
        return bool(self.drawn)


class Asked(NamedTuple):
    """What the flags of a sweep say, as texts; draws: how many where something is random, of this seed."""

    over: Sequence[str] = ()
    together: Sequence[str] = ()
    only: Sequence[str] = ()
    pairs: str = ""
    leave_out: str = ""
    draws: int = 0
    seed: int = 0


class Study(NamedTuple):
    """What is searched at once: the values that stay, and {name: (function of DRAWN, low, high)} of the others."""

    fixed: Point
    drawn: dict[str, tuple[Any, ...]]


def points(asked: Asked) -> list[Point]:
    """Every point once, in order. Raises UserError for what cannot be read, named twice, or too many."""
    axes, conditions = _axes(asked)
    found: dict[str, Point] = {}
    for i in range(asked.draws or 1):
        for point in _crossed(axes, conditions, i):
            found.setdefault(repr(sorted(point.items())), point)
            if len(found) > MOST:
                raise UserError(f"These are more than {MOST} points: sweep fewer values.")
    return list(found.values())


def studies(asked: Asked) -> list[Study]:
    """Every combination of what is not random, with what is random there."""
    axes, conditions = _axes(asked)
    bare = lambda axis: axis._replace(rows=lambda _: [(_Drawn(axis.drawn),)]) if axis.random else axis
    found = []
    for point in _crossed([bare(axis) for axis in axes], [(text, bare(axis)) for text, axis in conditions], 0):
        drawn = {name: value.how for name, value in point.items() if isinstance(value, _Drawn)}
        found.append(Study({name: value for name, value in point.items() if name not in drawn}, drawn))
    return found


class _Drawn(NamedTuple):
    """Stands where a random value will."""

    how: tuple[Any, ...]


def _axes(asked: Asked) -> tuple[list[Axis], list[tuple[str, Axis]]]:
    """All axes, and the conditional ones with their conditions."""
    axes = [*_of_domains(asked), *(_over("over", text, asked.seed) for text in asked.over)]
    axes += [_together(text) for text in asked.together]
    names = [name for axis in axes for name in axis.names]
    for name in names:
        if names.count(name) > 1:
            raise UserError(f"'{name}' is swept {names.count(name)} times: name it once, with all its values.")
    conditions = [_only(text, asked.seed, axes) for text in asked.only]
    random = any(axis.random for axis in (*axes, *(axis for _, axis in conditions)))
    if random != bool(asked.draws):
        raise UserError(
            "Values are drawn at random: say how many times, as in --draws=20."
            if random
            else f"--draws={asked.draws}: nothing is drawn. Write --over='lr=log_uniform(1e-4, 1e-1)'."
        )
    return axes, conditions


def _crossed(axes: Sequence[Axis], conditions: Sequence[tuple[str, Axis]], i: int) -> Iterator[Point]:
    """Every combination; a condition's axis takes the place of that of its name, or is one more."""
    texts = {text for text, _ in conditions}
    deciding = [axis for axis in axes if not axis.random and any(_has(row, t) for row in axis.rows(i) for t in texts)]
    others = [axis for axis in axes if axis not in deciding]
    for rows in itertools.product(*(axis.rows(i) for axis in deciding)):
        own: dict[tuple[str, ...], Axis] = {}
        for text, axis in conditions:
            if any(_has(row, text) for row in rows) and own.setdefault(axis.names, axis) is not axis:
                raise UserError(
                    f"--only gives '{axis.names[0]}' two sets of values where '{text}' is: name it once there."
                )
        rest = [own.pop(axis.names, axis) for axis in others] + list(own.values())
        for more in itertools.product(*(axis.rows(i) for axis in rest)):
            pairs = zip([*deciding, *rest], [*rows, *more], strict=True)
            yield {name: value for axis, row in pairs for name, value in zip(axis.names, row, strict=True)}


def _has(row: Sequence[Any], text: str) -> bool:
    """Whether a text ('dann', or 'dann(x=1)') is among the values of a row; a bare name stands for all its calls."""
    each = [one for value in row for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, str)]
    return any(text in (one, one.partition("(")[0]) for one in each)


def _of_domains(asked: Asked) -> list[Axis]:
    """--pairs: all ordered pairs; --leave_out: each domain in turn is the target, of all the others."""
    if asked.pairs and asked.leave_out:
        raise UserError("--pairs and --leave_out both say what goes to what: give one of them.")
    text, flag = (asked.pairs, "pairs") if asked.pairs else (asked.leave_out, "leave_out")
    if not text:
        return []
    if text in SETS:
        domains = list(SETS[text])
    else:
        domains = [literal(flag, text, node) for node in arguments(flag, text, text) if isinstance(node, ast.Constant)]
        if not domains:
            raise unknown("set of domains", text, SETS)
    if len(set(domains)) != len(domains) or len(domains) < 2 or not all(isinstance(d, str) for d in domains):
        raise UserError(
            f"--{flag}={text}: name at least two different domains, in quotes, or one of {', '.join(SETS)}."
        )
    if asked.pairs:
        rows = [((s,), t) for s, t in itertools.permutations(domains, 2)]
    else:
        rows = [(tuple(s for s in domains if s != t), t) for t in domains]
    return [Axis(("source", "target"), lambda _: rows)]


def _over(flag: str, text: str, seed: int) -> Axis:
    """'lam=0.1, 1' -> its axis."""
    name, right = sides(flag, text)
    nodes = arguments(flag, text, right)
    drawn = [node for node in nodes if is_number(name) and function_of(node) in DRAWN]
    if not drawn:
        rows = [(value,) for node in nodes for value in values_of(flag, text, name, node)]
        if len(set(map(repr, rows))) != len(rows):
            raise UserError(f"--{flag}='{text}': give values, each once.")
        return Axis((name,), lambda _: rows)
    if len(nodes) > 1:
        raise UserError(f"--{flag}='{text}': {function_of(drawn[0])}(...) stands alone.")
    function, ends = function_of(drawn[0]), numbers_of(flag, text, drawn[0])

    def row(i: int) -> list[tuple]:
        try:
            return [(typed(name, DRAWN[function](chance(seed, i, name), *ends)),)]
        except (ValueError, TypeError, ZeroDivisionError, OverflowError) as error:
            raise UserError(f"--{flag}='{text}': write {function}(low, high) ({error}).") from None

    row(0)
    return Axis((name,), row, (function, *ends))


def _together(text: str) -> Axis:
    """'batch_size, lr = (32, 1e-3), (64, 2e-3)' -> one axis of both names."""
    left, right = sides("together", text)
    names = tuple(name.strip() for name in left.split(","))
    rows = []
    for node in arguments("together", text, right):
        if not isinstance(node, ast.Tuple) or len(node.elts) != len(names) or len(names) < 2:
            raise UserError(f"--together='{text}': write name, name = (value, value), (value, value).")
        rows.append(tuple(value_of("together", text, name, each) for name, each in zip(names, node.elts, strict=True)))
    return Axis(names, lambda _: rows)


def _only(text: str, seed: int, axes: Sequence[Axis]) -> tuple[str, Axis]:
    """'dann: lam=0.1, 1' -> what has to be so, and the axis in that case."""
    condition, colon, rest = text.partition(":")
    condition = condition.strip()
    texts = [one for axis in axes if not axis.random for row in axis.rows(0) for one in row]
    texts = [
        one for value in texts for one in (value if isinstance(value, tuple) else (value,)) if isinstance(one, str)
    ]
    if not colon or not condition:
        raise UserError(f"--only='{text}': write it as in 'dann: lam=0.1, 1'.")
    if not _has(texts, condition):
        require("value of --over", condition, texts)
    return condition, _over("only", rest.strip(), seed)
