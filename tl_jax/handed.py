"""What people hand to `fit`, as what a run takes: domains, seeds, settings; or a message that says what is wanted."""

from collections.abc import Mapping, Sequence
from typing import Any

from tl_jax.balancing.contract import Balance
from tl_jax.core.errors import UserError, require
from tl_jax.data.domain import Domain, Examples, changed
from tl_jax.data.splits import split
from tl_jax.fine_tuning.strategy import Strategy
from tl_jax.methods.contract import Method
from tl_jax.models.networks import TRUNKS
from tl_jax.naming.from_python import Handed, handed
from tl_jax.run.settings.config import Config
from tl_jax.run.settings.forms import many, plain
from tl_jax.run.settings.settings import taken

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
    more = {"modality": whole.modality, "features": whole.features, "notes": whole.notes}
    return Domain(name, whole.classes, *parts, ids=dict(zip(whole.splits, rows, strict=True)), **more)


def setting(name: str, value: Any) -> Any:
    """A field of Config in the type that it has. Raises UserError where it cannot be that."""
    value = plain(value)
    return taken(Config, name, _objects(name, value) if name in OBJECTS else value)


def _objects(name: str, value: Any) -> Any:
    """The value with names for what in it is an object, or a function that gives one."""
    kinds = OBJECTS[name]

    def named(one: Any, taken: Sequence[str]) -> Any:
        if isinstance(one, kinds):
            return handed(one, lambda: one, taken)
        return handed(one, one, taken) if callable(one) else one

    if name in ("network", "select") or isinstance(value, kinds):
        return named(value, ())
    found: list[Any] = []
    for one in many(value):
        found.append(named(one, found))
    return found


def named_objects(given: Mapping[str, Any]) -> dict[str, Handed]:
    """{the name in configs: the object} of what settings were handed. Raises UserError for one that takes none."""
    found: dict[str, Handed] = {}
    for name, value in given.items():
        require("setting that takes objects", name, OBJECTS)
        found |= {str(one): one for one in many(setting(name, value)) if isinstance(one, Handed)}
    return found


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
