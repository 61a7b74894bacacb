"""The names that a sweep may give values to, and the values in the types that a Config has."""

import dataclasses
from typing import Any

from tl_jax.core.errors import UserError
from tl_jax.run.plan.config import AMOUNTS, Config

FIELDS = {"method": "methods", "strategy": "strategies"}
"""Names of flags that are not those of their fields."""
TYPES = {field.name: field.type for field in dataclasses.fields(Config)}
ARRAYS = ("lam", "lr", "weight_decay", *AMOUNTS)
"""Fields that are numbers of a trial; so is every name that is no field, of a method."""
NOT = {"kind": "name it first", "seeds": "--seeds crosses everything with seeds", "sweep": "--over says what is swept"}
NUMBERS = (int, float, float | None)


def field(name: str) -> str:
    """The field of Config that a name stands for; "" for a method's own value."""
    name = FIELDS.get(name, name)
    return name if name in TYPES else ""


def is_array(name: str) -> bool:
    """Whether trials with different values of it share a program."""
    return name in ARRAYS or not field(name)


def is_number(name: str) -> bool:
    """Whether its values are numbers."""
    return is_array(name) or TYPES[field(name)] in NUMBERS


def typed(name: str, value: Any) -> Any:
    """A value as the Config has it. Raises UserError where it cannot be that."""
    if not name.isidentifier():
        raise UserError(f"'{name}' is no name of a setting or of a method's value.")
    if name in NOT:
        raise UserError(f"'{name}' cannot be swept: {NOT[name]}.")
    of = TYPES.get(field(name))
    if name == "labels_per_class":
        of = int
    elif is_array(name):
        of = float
    found = value
    if of in (float, float | None) and type(value) is int:
        found = float(value)
    elif of is int and isinstance(value, float) and value.is_integer():
        found = int(value)
    elif of == tuple[str, ...] and isinstance(value, str):
        found = (value,)
    elif field(name) == "freeze" and isinstance(value, str):
        pattern, _, action = value.rpartition("=")
        found = ((pattern, action),)
    if not _fits(found, of):
        raise UserError(f"{name}={value!r:.60}: {_WORDS.get(of, 'another value')} is needed.")
    return found


def _fits(value: Any, of: Any) -> bool:
    if of in (int, float, bool, str):
        return type(value) is of
    if of == (str | None):
        return value is None or isinstance(value, str)
    if of == (float | None):
        return value is None or isinstance(value, float)
    if of == tuple[str, ...]:
        return isinstance(value, tuple) and all(isinstance(one, str) for one in value)
    return isinstance(value, tuple)


_WORDS = {
    int: "a whole number",
    float: "a number",
    bool: "True or False",
    str: "a name or a text",
    tuple[str, ...]: "a name or a text",
}
