"""An object handed over from Python, as a name that goes into configs and records and carries what it stands for."""

import contextlib
import dataclasses
import functools
import hashlib
import inspect
import re
import types
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

HANDED = "python:"
"""Begins such a name."""
DEEPEST = 6
"""Of values inside values that still tell two objects apart."""


class Handed(str):
    """The name under which an object from Python goes into configs and records, with the function that gives it."""

    function: Callable[..., Any]
    digest: str

    def __deepcopy__(self, memo: Any) -> "Handed":
        return self

    def called(self, shown: str, arguments: Mapping[str, Any]) -> "Handed":
        """The same with arguments, which are shown behind the name."""
        return _named(self + shown, functools.partial(self.function, **arguments), self.digest)


def handed(value: Any, function: Callable[..., Any], taken: Iterable[str] = ()) -> Handed:
    """The name of an object from Python that `function` gives, another than those taken, with a digest of its code."""
    plain = base = HANDED + (re.sub(r"\W+", "", _called(value)) or "object")
    names, number = set(taken), 1
    while plain in names:
        number += 1
        plain = f"{base}-{number}"
    return _named(plain, function, digest(repr(_described(value, DEEPEST)).encode()))


def digest(content: bytes) -> str:
    """Sixteen hex digits of a content."""
    return hashlib.sha256(content).hexdigest()[:16]


def _named(text: str, function: Callable[..., Any], digest: str) -> Handed:
    made = Handed(text)
    made.function, made.digest = function, digest
    return made


def _called(value: Any) -> str:
    """What an object is called: a function by its name, a value made by one (such as a Method) by that one's."""
    if isinstance(value, functools.partial):
        return _called(value.func)
    inner = next(filter(inspect.isfunction, value), None) if isinstance(value, tuple) else None
    name = getattr(inner or value, "__qualname__", None) or type(value).__qualname__
    return name.removeprefix("<lambda>").partition(".<locals>")[0]


def _described(value: Any, deep: int) -> Any:
    """What of an object from Python can change a number, as far as it can be seen: code, closures, plain values."""
    inside = lambda values: [_described(one, deep - 1) for one in values]
    if value is None or isinstance(value, bool | int | float | str | bytes):
        return value
    if deep == 0:
        return type(value).__qualname__
    if isinstance(value, functools.partial):
        return ["partial", *inside((value.func, value.args, value.keywords))]
    if inspect.isfunction(value) or inspect.isclass(value):
        cells = [cell.cell_contents for cell in getattr(value, "__closure__", None) or () if _filled(cell)]
        kept = (getattr(value, "__defaults__", None), getattr(value, "__kwdefaults__", None), cells)
        return [value.__qualname__, _source(value), *inside(kept)]
    if isinstance(value, Mapping):
        return [[str(key), _described(one, deep - 1)] for key, one in value.items()]
    if isinstance(value, tuple | list):
        return [type(value).__qualname__, *inside(value)]
    if dataclasses.is_dataclass(value):
        fields = [one.name for one in dataclasses.fields(value) if one.name != "parent"]
        return [_described(type(value), deep), *inside(getattr(value, name) for name in fields)]
    if hasattr(value, "tobytes"):
        return [str(value.dtype), list(value.shape), digest(value.tobytes())]
    return [type(value).__qualname__, *inside([getattr(value, "__dict__", {})])]


def _filled(cell: types.CellType) -> bool:
    with contextlib.suppress(ValueError):
        return cell.cell_contents is not None
    return False


def _source(value: Any) -> str:
    """The digest of the file that a function or class stands in; of its own lines where there is no file."""
    if (getattr(value, "__module__", None) or "").partition(".")[0] in ("tl_jax", "jax", "flax", "numpy", "builtins"):
        return ""
    with contextlib.suppress(OSError, TypeError):
        return digest(Path(inspect.getsourcefile(value) or "").read_bytes())
    with contextlib.suppress(OSError, TypeError):
        return digest(inspect.getsource(value).encode())
    code = getattr(value, "__code__", None)
    return digest(code.co_code + repr(code.co_consts).encode()) if code else ""
