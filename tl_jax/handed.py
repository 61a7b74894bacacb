"""What people hand to `fit`, as what a run takes: domains, seeds, settings; or a message that says what is wanted."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from tl_jax.balancing.contract import Balance
from tl_jax.core.errors import UserError
from tl_jax.core.from_python import handed
from tl_jax.data.domain import Domain, Examples, changed
from tl_jax.data.splits import split
from tl_jax.fine_tuning.strategies import Strategy
from tl_jax.methods.contract import Method
from tl_jax.models.networks import TRUNKS
from tl_jax.run.plan.config import NUMBERS, Config, counted

HOW = (
    "Hand over a spec such as 'digits:printed', arrays (x, y), or tl_jax.Domain(name, classes, train, validation, "
    "test), whose splits are tl_jax.Examples(x, y)"
)
OBJECTS: Mapping[str, tuple[type, ...]] = {
    "methods": (Method,),
    "network": TRUNKS,
    "select": (),
    "strategies": (Strategy, Balance),
}
"""Settings that take objects of these types, or functions that give one; a criterion is the function itself."""
PLURAL = ("methods", "strategies", "allow_mismatch", "align", "labels_per_class", "label_fraction")
"""Settings that are lists, where one alone may stand for a list."""


def several(given: Any, name: str) -> list[str | Domain]:
    """One domain or many as a list of specs and domains; arrays are called `name`, name2, ... and split at random."""
    if isinstance(given, list) or (isinstance(given, tuple) and not _is_pair(given)):
        return [one_domain(each, name if i == 0 else f"{name}{i + 1}") for i, each in enumerate(given)]
    return [one_domain(given, name)]


def _is_pair(given: tuple) -> bool:
    """Whether a tuple is (x, y) and not two domains."""
    return len(given) == 2 and not any(isinstance(one, str | Domain | Mapping | tuple) for one in given)


def one_domain(given: Any, name: str) -> str | Domain:
    """A spec or a domain as it is; (x, y) or {"x": x, "y": y} as a domain of random splits. Raises UserError."""
    if isinstance(given, str | Domain):
        return given
    if isinstance(given, Mapping) and set(given) in ({"x"}, {"x", "y"}):
        given = (given["x"], given.get("y"))
    if not isinstance(given, tuple) or not _is_pair(given):
        raise UserError(f"The {name} is a {type(given).__name__}. {HOW}.")
    # One and the same three times over: what is checked is one array, what is numbered are all its labels.
    whole = Domain(name, None, given, given, given)  # pyright: ignore[reportArgumentType]
    rows = split(whole.train.y)
    parts = [Examples(whole.train.x[some], whole.train.y[some]) for some in rows]
    more = {"modality": whole.modality, "features": whole.features}
    return Domain(name, whole.classes, *parts, ids=dict(zip(whole.splits, rows, strict=True)), **more)


def seeds(given: Any) -> tuple[int, ...]:
    """A count, or seeds in any sequence. Raises UserError for what is neither."""
    plain: Any = _plain(given)
    if type(plain) is int:
        return counted(plain)
    values = [] if np.ndim(plain) == 0 else [_plain(value) for value in plain]
    if (not values and np.ndim(plain) == 0) or not all(type(value) is int for value in values):
        raise UserError(f"seeds={given!r:.60}: give a count such as 3, or whole numbers such as [4, 7].")
    return tuple(values)


def sweep(given: Any) -> tuple[tuple[str, tuple[float, ...]], ...]:
    """{name: values} as pairs. Raises UserError for anything else."""
    if not isinstance(given or {}, Mapping):
        raise UserError(f"sweep={given!r:.60}: give a mapping, as in {{'lam': [0.1, 1.0]}}.")
    pairs = []
    for name, values in (given or {}).items():
        many = [values] if np.ndim(values) == 0 else list(values)
        pairs.append((str(name), tuple(_number(f"sweep={name}", value) for value in many)))
    return tuple(pairs)


def setting(name: str, value: Any) -> Any:
    """A field of Config in the type that it has. Raises UserError where it cannot be that."""
    value = _plain(value)
    if name in OBJECTS:
        value = _objects(name, value)
    if name == "freeze":
        many = value.items() if isinstance(value, Mapping) else value if isinstance(value, list | tuple) else [value]
        return tuple(map(_rule, many))
    if name in PLURAL:
        many = _many(value)
        number = {"labels_per_class": int, "label_fraction": float}.get(name)
        return tuple(_number(name, one, number) if number else _text(name, one) for one in many)
    if name in NUMBERS:
        return None if value is None and name == "lam" else _number(name, value, None)
    default = next(field.default for field in dataclasses.fields(Config) if field.name == name)
    if default is None or isinstance(default, str):
        return None if value is None and default is None else _text(name, value)
    if isinstance(value, float) and isinstance(default, int) and value.is_integer():
        value = int(value)
    if type(value) is not type(default):
        raise UserError(f"{name}={value!r:.60}: a {type(default).__name__} is needed, as in {name}={default!r}.")
    return value


def _objects(name: str, value: Any) -> Any:
    """The value with names for what in it is an object, or a function that gives one."""
    kinds = OBJECTS[name]

    def named(one: Any, taken: Sequence[str]) -> Any:
        if isinstance(one, kinds):
            return handed(one, lambda: one, taken)
        return handed(one, one, taken) if callable(one) else one

    if name not in PLURAL or isinstance(value, kinds):
        return named(value, ())
    found: list[Any] = []
    for one in _many(value):
        found.append(named(one, found))
    return found


def _many(value: Any) -> list[Any]:
    return [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)


def _plain(value: Any) -> Any:
    """Scalars of NumPy and JAX as Python's."""
    return value.item() if hasattr(value, "item") and np.ndim(value) == 0 else value


def _number(name: str, value: Any, kind: type | None = float) -> Any:
    value = _plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float) or (kind is int and value != int(value)):
        raise UserError(f"{name}={value!r:.60}: a number is needed.")
    return value if kind is None else kind(value)


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        shown = getattr(value, "__name__", None) or repr(value)
        raise UserError(f"{name}={shown:.60}: a name is needed, as a text, or a call such as 'mcc(temperature=2.0)'.")
    return value


def _rule(rule: Any) -> tuple[str, str]:
    """'backbone/*=frozen' or ('backbone/*', 'frozen')."""
    parts: Sequence[Any] = rule.rpartition("=")[::2] if isinstance(rule, str) else rule
    if not isinstance(parts, Sequence) or len(parts) != 2 or not all(parts):
        raise UserError(f"freeze={rule!r:.60}: write 'pattern=frozen', 'pattern=0.1' or ('pattern', 'frozen@300').")
    return str(parts[0]), str(parts[1])


def domain_names(given: Sequence[str | Domain]) -> tuple[tuple[str, ...], dict[str, Domain]]:
    """Specs and domains -> their names, and the domains by name: the second one called 'a' is 'a-2'."""
    names, found = [], {}
    specs = {one for one in given if isinstance(one, str)}
    for one in given:
        name, number = (one, 1) if isinstance(one, str) else (one.name, 1)
        while not isinstance(one, str) and (name in specs or found.get(name, one) is not one):
            number += 1
            name = f"{one.name}-{number}"
        names.append(name)
        if not isinstance(one, str):
            found[name] = one
    return tuple(names), {
        name: domain if domain.name == name else changed(domain, name=name) for name, domain in found.items()
    }
