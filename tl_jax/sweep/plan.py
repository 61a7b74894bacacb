"""From points to runs: what fits one program is one configuration, and each has a name by its content."""

import dataclasses
import hashlib
import itertools
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tl_jax.core.errors import UserError, unknown
from tl_jax.run.plan.fits import check
from tl_jax.run.plan.types import Setup
from tl_jax.run.settings.config import AMOUNTS, Config
from tl_jax.run.store.names import readable
from tl_jax.sweep.asked.space import Point
from tl_jax.sweep.asked.values import field, is_array

Numbers = dict[str, float]
LONGEST, LONGEST_PART = 60, 24
"""Characters of a run's name before its digest, and of what one setting adds to it: a list of methods leaves room."""


class Run(NamedTuple):
    """One configuration of a sweep: the name of its directory, and its trials, those of all methods together."""

    name: str
    config: Config
    trials: int


def runs(base: Config, points: Sequence[Point], prepare: Callable[[Config], Setup], most: int = 0) -> list[Run]:
    """The runs of a sweep: one configuration of each program is prepared, which checks it.

    most: trials of a run at most (0: as many as fit the program). Raises UserError for a configuration that cannot be
    run, and for a name that no method has.
    """
    base, points = _without_sweep(base, points)
    found: dict[str, Run] = {}
    lacked: dict[str, set[str]] = {}
    for shape, numbers in _by_program(base, points).items():
        setup = _prepared(prepare, shape, numbers)
        known = _known(setup)
        for name in set().union(*numbers) - known:
            lacked.setdefault(name, set()).update(known)
        kept = _once({name: value for name, value in each.items() if name in known} for each in numbers)
        for grid in _grids(kept, max(1, most // len(shape.seeds)) if most else len(kept)):
            config = _with(shape, grid)
            check(config)
            run = Run(_name(base, shape, _with(setup.config, grid)), config, _trials(setup, grid))
            found.setdefault(run.name, run)
    of_some = {name for run in found.values() for name, _ in run.config.swept}
    for name in lacked.keys() - of_some:
        raise unknown("swept value", name, sorted(lacked[name] - {"task"}))
    return list(found.values())


def _without_sweep(base: Config, points: Sequence[Point]) -> tuple[Config, list[Point]]:
    """What the kind's own --sweep crosses, as points."""
    names = {name for point in points for name in point}
    if twice := [name for name, _ in base.sweep if name in names]:
        raise UserError(f"'{twice[0]}' is swept twice: leave it out of --sweep.")
    rows = itertools.product(*([(name, value) for value in values] for name, values in base.sweep))
    crossed = [{**dict(row), **point} for row, point in itertools.product(list(rows), points)]
    return dataclasses.replace(base, sweep=()), crossed


def _by_program(base: Config, points: Iterable[Point]) -> dict[Config, list[Numbers]]:
    """{configuration without the numbers that are arrays: those numbers, a point each}."""
    found: dict[Config, list[Numbers]] = {}
    for point in points:
        fields = {field(name): value for name, value in point.items() if not is_array(name)}
        numbers = {name: value for name, value in point.items() if is_array(name)}
        cleared = {name: () for name in AMOUNTS if numbers.keys() & AMOUNTS}
        found.setdefault(dataclasses.replace(base, **cleared, **fields), []).append(numbers)
    return found


def _prepared(prepare: Callable[[Config], Setup], shape: Config, numbers: Sequence[Numbers]) -> Setup:
    amounts = {name: (numbers[0][name],) for name in AMOUNTS if name in numbers[0]}
    return prepare(dataclasses.replace(shape, **amounts))


def _known(setup: Setup) -> set[str]:
    """The names that trials of some method have."""
    trained = [task.job for task in setup.tasks if task.job.method.trained]
    return {name for job in trained for _, values in job.trials for name, _ in values} | {
        name for name in AMOUNTS for job in trained if any(name in dict(values) for _, values in job.trials)
    }


def _once(points: Iterable[Numbers]) -> list[Numbers]:
    return list({json.dumps(sorted(point.items())): point for point in points}.values())


def _grids(points: Sequence[Numbers], most: int) -> list[list[Numbers]]:
    """The points in groups, each all combinations of its values and of at most `most`."""
    names = list(dict.fromkeys(name for point in points for name in point))
    values = {name: list(dict.fromkeys(point.get(name) for point in points)) for name in names}
    whole = all(None not in each for each in values.values())
    size = 1
    for each in values.values():
        size *= len(each)
    if whole and size == len(points) <= most:
        return [list(points)]
    if whole and size == len(points):
        first = max(names, key=lambda name: len(values[name]))
        part = max(1, most * len(values[first]) // len(points))
        cuts = [values[first][i : i + part] for i in range(0, len(values[first]), part)]
    else:
        first = min((name for name in names if len(values[name]) > 1), key=lambda name: len(values[name]))
        cuts = [[value] for value in values[first]]
    parts = [[point for point in points if point.get(first) in cut] for cut in cuts]
    return [group for part in parts for group in _grids(part, most)]


def _with(shape: Config, grid: Sequence[Numbers]) -> Config:
    """The configuration whose trials are the points of a grid."""
    names = list(dict.fromkeys(name for point in grid for name in point))
    values = {name: tuple(dict.fromkeys(point[name] for point in grid)) for name in names}
    amounts = {name: values.pop(name) for name in AMOUNTS if name in values}
    return dataclasses.replace(shape, sweep=tuple(values.items()), **amounts)


def _trials(setup: Setup, grid: Sequence[Numbers]) -> int:
    """Trials of all methods together, of which each has the values that it knows."""
    count = 0
    for task in setup.tasks:
        own = dict(task.job.trials[0][1]) if task.job.method.trained else {}
        points = _once({name: value for name, value in point.items() if name in own} for point in grid)
        count += len(task.job.trials) * len(points)
    return count


def _name(base: Config, shape: Config, config: Config) -> str:
    """What differs from the base in letters, and a digest of the whole."""
    names = [f.name for f in dataclasses.fields(Config) if getattr(shape, f.name) != getattr(base, f.name)]
    first = [*(name for name in ("methods", "strategies") if name in names), *names]
    parts = [readable(_said(getattr(shape, name))) for name in dict.fromkeys(first) if name not in AMOUNTS]
    short = "-".join(part[:LONGEST_PART].strip("-.+") for part in parts)[:LONGEST].rstrip("-.") or config.kind
    return f"{short}-{config.digest()}"


def _said(value: Any) -> str:
    return (
        "+".join(map(_said, value))
        if isinstance(value, tuple)
        else f"{value:g}"
        if type(value) is float
        else str(value)
    )


def given(base: Config, config: Config) -> dict[str, Any]:
    """The fields of a configuration that differ from those of another, as plain JSON."""
    theirs = base.to_json()
    return {name: value for name, value in config.to_json().items() if value != theirs[name]}


def config_of(plain: Mapping[str, Any]) -> Config:
    """The configuration of a JSON object; what it lacks has its default. Raises UserError for an unknown field."""
    known = {f.name for f in dataclasses.fields(Config)}
    for name in plain:
        if name not in known:
            raise UserError(f"'{name}' is no setting of this version: the plan was made by another.")
    return Config(**{name: _tuples(value) for name, value in plain.items()})


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def digest_of(asked: Any) -> str:
    """Sixteen hex digits of what was asked for."""
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()[:16]
