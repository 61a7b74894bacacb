"""What is said of a setting, once: flags, Python, sweeps, checks and the page of settings read it from the fields."""

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from tl_jax.core.errors import UserError, require
from tl_jax.naming.calls import GREATEST, LARGEST
from tl_jax.run.settings.forms import FORMS, NUMBER, WHOLE, Form


class Setting(NamedTuple):
    """A field of a dataclass of settings.

    help: of its flag; form: of its values; choices: names that it may have, or begin a call with; word: what such a
    name is called in messages, where it has to be one of them; least, most: of numbers; flag: empty where it has none.
    """

    name: str
    default: Any
    help: str
    form: Form
    choices: tuple[str, ...]
    word: str
    least: float
    most: float
    flag: str


def setting(
    default: Any,
    help: str,
    *,
    choices: Iterable[str] = (),
    word: str = "",
    form: Form | None = None,
    least: float = 0,
    most: float = GREATEST,
    flag: str | None = None,
) -> Any:
    """A field, as `Setting` describes it; {choices} in the help stands for them, the flag has the field's name."""
    said = {"help": help, "choices": tuple(choices), "word": word, "form": form}
    said |= {"least": least, "most": most, "flag": flag}
    return dataclasses.field(default=default, metadata=said)


def settings(of: Any) -> dict[str, Setting]:
    """The settings of a dataclass by name; fields that are none have no help."""
    return {field.name: _setting(field) for field in dataclasses.fields(of) if field.metadata}


def _setting(field: dataclasses.Field) -> Setting:
    said: Mapping[str, Any] = field.metadata
    flag = field.name if said["flag"] is None else said["flag"]
    form = said["form"] or FORMS[field.type]
    return Setting(**{**said, "name": field.name, "default": field.default, "form": form, "flag": flag})


def taken(of: Any, name: str, value: Any) -> Any:
    """What Python hands over as the setting's value. Raises UserError where it cannot be that."""
    one = settings(of)[name]
    return None if value is None and one.default is None else one.form.take(name, value)


def check_settings(values: Any) -> None:
    """Raises UserError for the first value that is not one of its choices, or a number out of its range."""
    for name, one in settings(values).items():
        value = getattr(values, name)
        if value is None and one.default is None:
            continue
        if one.word:
            require(one.word, value, one.choices)
        if one.form is WHOLE and (type(value) is not int or not one.least <= value <= one.most):
            raise UserError(f"--{name}={value}: must be a whole number of at least {one.least}, at most {one.most}.")
        if one.form is NUMBER:
            check_number(f"--{name}", value, one.least)


def check_number(flag: str, value: Any, least: float = -LARGEST) -> None:
    """Raises UserError unless a number is finite in float32, and not below `least`."""
    if isinstance(value, bool) or not isinstance(value, int | float) or not least <= value <= LARGEST:
        raise UserError(f"{flag}={value}: must be a finite number{f' of at least {least}' * (least > -LARGEST)}.")
