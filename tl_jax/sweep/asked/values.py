"""The names that a sweep may give values to, and the values in the types that a Config has."""

from typing import Any

from tl_jax.core.errors import UserError
from tl_jax.run.settings.config import AMOUNTS, Config
from tl_jax.run.settings.forms import NUMBER, WHOLE
from tl_jax.run.settings.settings import settings, taken

SETTINGS = settings(Config)
FIELDS = {one.flag: name for name, one in SETTINGS.items() if one.flag}
"""{name of a flag: its field}."""
CALLED = {"multitask": {"source": "task"}}
"""{kind of transfer: {field: its flag there}}, where that is another than usual."""
ARRAYS = ("lam", "lr", "weight_decay", *AMOUNTS)
"""Fields that are numbers of a trial; so is every name that is no field, of a method."""
NOT = {"kind": "name it first", "seeds": "--seeds crosses everything with seeds", "sweep": "--over says what is swept"}


def field(name: str) -> str:
    """The field of Config that a name stands for; "" for a method's own value."""
    return FIELDS.get(name, name if name in SETTINGS else "")


def is_array(name: str) -> bool:
    """Whether trials with different values of it share a program."""
    return name in ARRAYS or not field(name)


def is_number(name: str) -> bool:
    """Whether its values are numbers."""
    return is_array(name) or SETTINGS[field(name)].form in (WHOLE, NUMBER)


def typed(name: str, value: Any) -> Any:
    """A value as the Config has it. Raises UserError where it cannot be that."""
    if not name.isidentifier():
        raise UserError(f"'{name}' is no name of a setting or of a method's value.")
    if name in NOT:
        raise UserError(f"'{name}' cannot be swept: {NOT[name]}.")
    if not is_array(name):
        found = taken(Config, field(name), value)
        return float(found) if SETTINGS[field(name)].form is NUMBER and found is not None else found
    number = (WHOLE if name == "labels_per_class" else NUMBER).take(name, value)
    return number if name == "labels_per_class" else float(number)
