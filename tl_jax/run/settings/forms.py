"""How the values of settings are written: as the text of a flag, and as what people have in Python."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from tl_jax.core.errors import UserError

MOST_SEED, MOST_SEEDS = 2**32 - 1, 10_000


class Form(NamedTuple):
    """One way to write values.

    flag: absl's word for such a flag. read(flag's name, what it holds) and take(setting's name, what Python has) ->
    value; both raise UserError. show(value) -> what the flag holds by default, which `read` reads as the value.
    """

    flag: str
    read: Callable[[str, Any], Any]
    take: Callable[[str, Any], Any]
    show: Callable[[Any], Any] = lambda value: value


def plain(value: Any) -> Any:
    """Scalars of NumPy and JAX as Python's."""
    return value.item() if hasattr(value, "item") and np.ndim(value) == 0 else value


def many(value: Any) -> list[Any]:
    """What is no list as a list of one."""
    return [value] if isinstance(value, str) or not isinstance(value, Iterable) else list(value)


def counted(count: int) -> tuple[int, ...]:
    """The seeds 0, 1, ... Raises UserError for too many, before they are made."""
    if count > MOST_SEEDS:
        raise UserError(f"--seeds={str(count)[:20]}: give a count from 1 to {MOST_SEEDS}, or a list of seeds.")
    return tuple(range(count))


def _number(name: str, value: Any) -> Any:
    value = plain(value)
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise UserError(f"{name}={value!r:.60}: a number is needed.")
    return value


def _whole(name: str, value: Any) -> int:
    value = plain(value)
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if type(value) is not int:
        raise UserError(f"{name}={value!r:.60}: a whole number is needed.")
    return value


def _truth(name: str, value: Any) -> bool:
    if type(value := plain(value)) is not bool:
        raise UserError(f"{name}={value!r:.60}: True or False is needed.")
    return value


def _text(name: str, value: Any) -> str:
    if not isinstance(value, str):
        shown = getattr(value, "__name__", None) or repr(value)
        raise UserError(f"{name}={shown:.60}: a name is needed, as a text, or a call such as 'mcc(temperature=2.0)'.")
    return value


def _read_seeds(name: str, text: str) -> tuple[int, ...]:
    try:
        values = tuple(int(part) for part in text.removesuffix(",").split(","))
    except ValueError:
        raise UserError(f"--{name}={text:.80}: give a count such as 3, or a list such as 4,7.") from None
    return counted(values[0]) if "," not in text else values


def _take_seeds(name: str, given: Any) -> tuple[int, ...]:
    found: Any = plain(given)
    if type(found) is int:
        return counted(found)
    values = [] if np.ndim(found) == 0 else [plain(value) for value in found]
    if (not values and np.ndim(found) == 0) or not all(type(value) is int for value in values):
        raise UserError(f"{name}={given!r:.60}: give a count such as 3, or whole numbers such as [4, 7].")
    return tuple(values)


def _show_seeds(seeds: Sequence[int]) -> str:
    counted_up = tuple(seeds) == tuple(range(len(seeds)))
    return str(len(seeds)) if counted_up else ",".join(map(str, seeds)) + "," * (len(seeds) == 1)


def _read_sweep(flag: str, texts: Sequence[str]) -> tuple[tuple[str, tuple[float, ...]], ...]:
    def one(text: str) -> tuple[str, tuple[float, ...]]:
        name, _, values = text.partition("=")
        try:
            return name.strip(), tuple(float(v) for v in values.split(","))
        except ValueError:
            raise UserError(
                f"--{flag}='{text}': write name=value,value,... with numbers, as in lam=0.1,0.3,1."
            ) from None

    return tuple(map(one, texts))


def _show_sweep(swept: Iterable[tuple[str, Sequence[float]]]) -> list[str]:
    return [f"{name}={','.join(f'{value!r}'.removesuffix('.0') for value in values)}" for name, values in swept]


def _take_sweep(name: str, given: Any) -> tuple[tuple[str, tuple[float, ...]], ...]:
    if not isinstance(given or {}, Mapping):
        raise UserError(f"{name}={given!r:.60}: give a mapping, as in {{'lam': [0.1, 1.0]}}.")
    pairs = []
    for key, values in (given or {}).items():
        each = [values] if np.ndim(values) == 0 else list(values)
        pairs.append((str(key), tuple(float(_number(f"{name}={key}", value)) for value in each)))
    return tuple(pairs)


def _read_rules(flag: str, texts: Sequence[str]) -> tuple[tuple[str, str], ...]:
    def one(text: str) -> tuple[str, str]:
        pattern, _, action = text.rpartition("=")
        if not pattern or not action:
            raise UserError(f"--{flag}='{text}': write pattern=frozen, pattern=0.1 or pattern=frozen@300.")
        return pattern, action

    return tuple(map(one, texts))


def _take_rules(name: str, given: Any) -> tuple[tuple[str, str], ...]:
    def one(rule: Any) -> tuple[str, str]:
        parts: Sequence[Any] = rule.rpartition("=")[::2] if isinstance(rule, str) else rule
        if not isinstance(parts, Sequence) or len(parts) != 2 or not all(parts):
            raise UserError(f"{name}={rule!r:.60}: write 'pattern=frozen', 'pattern=0.1' or ('pattern', 'frozen@300').")
        return str(parts[0]), str(parts[1])

    rules = given.items() if isinstance(given, Mapping) else given if isinstance(given, list | tuple) else [given]
    return tuple(map(one, rules))


def _amounts(number: Callable[[Any], Any], take: Callable[[str, Any], Any]) -> Form:
    """Several numbers, 'a,b,c' in a flag."""

    def read(name: str, text: str) -> tuple:
        try:
            return tuple(number(part) for part in text.split(",") if part)
        except ValueError:
            raise UserError(f"--{name}={text}: give a number, or several as in 1,2,5.") from None

    every = lambda name, value: tuple(number(take(name, one)) for one in many(plain(value)))
    return Form("string", read, every, lambda values: ",".join(map(str, values)))


BALANCED = "balanced"


def _weights(name: str, given: Any) -> tuple[str, ...]:
    """Numbers as their texts, or the one word."""
    given = plain(given)
    parts = given.split(",") if isinstance(given, str) else [_number(name, one) for one in many(given)]
    texts = tuple(str(part).strip() for part in parts if str(part).strip())
    if texts == (BALANCED,):
        return texts
    try:
        numbers = [float(text) for text in texts]
    except ValueError:
        raise UserError(f"{name}={given!s:.60}: give {BALANCED}, or a number for each class, as in 1,1,2.5.") from None
    if not all(0 < number < float("inf") for number in numbers):
        raise UserError(f"{name}={given!s:.60}: weights of classes are finite and above 0.")
    return tuple(f"{number:g}" for number in numbers)


def _as_it_is(name: str, value: Any) -> Any:
    return value


TEXT = Form("string", _as_it_is, _text)
WHOLE = Form("integer", _as_it_is, _whole)
NUMBER = Form("float", _as_it_is, _number)
TRUTH = Form("bool", _as_it_is, _truth)
NAMES = Form(
    "multi_string",
    lambda name, texts: tuple(texts),
    lambda name, value: tuple(_text(name, one) for one in many(value)),
    list,
)
SEEDS = Form("string", _read_seeds, _take_seeds, _show_seeds)
SWEEP = Form("multi_string", _read_sweep, _take_sweep, _show_sweep)
RULES = Form("multi_string", _read_rules, _take_rules, lambda rules: ["=".join(rule) for rule in rules])
WEIGHTS = Form("string", lambda name, text: _weights(f"--{name}", text), _weights, ",".join)
WHOLES, NUMBERS = _amounts(int, _whole), _amounts(float, _number)
FORMS: Mapping[Any, Form] = {
    str: TEXT,
    str | None: TEXT,
    int: WHOLE,
    float: NUMBER,
    float | None: NUMBER,
    bool: TRUTH,
    tuple[str, ...]: NAMES,
}
"""The form of a field by its type, where the table of settings names none."""
