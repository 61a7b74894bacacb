"""Names on the command line become objects: 'cdan(entropy=True)' is a call, parsed and checked, never run as code."""

import ast
import difflib
import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from tl_jax.core.errors import UserError, unknown

LONGEST = 2000
"""Characters of a call at most."""
GREATEST, LARGEST = 2**31 - 1, 3e38
"""Of whole numbers and of float32."""
UNREADABLE = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError, OverflowError)
"""What Python's own parser raises: besides bad syntax for zero bytes, lone surrogates, nesting and endless numbers."""
BOUNDS: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(("dropout", "smoothing"), (0, 0.999)),
    **dict.fromkeys(("threshold", "decay", "p", "share", "leak", "beta"), (0, 1)),
    **dict.fromkeys(("temperature", "window", "hop", "epsilon", "sharp", "soft"), (1e-12, GREATEST)),
    **dict.fromkeys(("bottleneck", "dense", "block"), (0, GREATEST)),
}
"""Least and greatest value of an argument by its name, whatever it belongs to; whole numbers that are not here begin
with 1, or with 0 where the default is 0."""


class Call(NamedTuple):
    """A checked call: its canonical text, the function and its keyword arguments."""

    text: str
    function: Callable[..., Any]
    arguments: dict[str, Any]

    def __call__(self) -> Any:
        return self.function(**self.arguments)


def parse(text: str, table: Mapping[str, Callable[..., Any]], kind: str) -> Call:
    """'mcc' or 'mcc(temperature=2.0)' -> Call; arguments are literals, given by name.

    Raises UserError for an unknown name or argument, listing what exists and the nearest match, and for values out of
    their bounds.
    """
    if not isinstance(text, str):
        raise UserError(f"A {kind} is named by a text, as in 'name(arg=1)', not by {text!r:.60}: {', '.join(table)}.")
    try:
        if len(text) > LONGEST:
            raise ValueError
        node = ast.parse(text.strip(), mode="eval").body
    except UNREADABLE:
        raise UserError(f"Cannot read the {kind} '{text:.80}'. Write a name or a call, as in 'name(arg=1)'.") from None
    if isinstance(node, ast.Name):
        name, keywords = node.id, []
    elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args:
        name, keywords = node.func.id, node.keywords
    else:
        raise UserError(f"Cannot read the {kind} '{text}'. Write a name or a call with named arguments: 'name(arg=1)'.")
    if name not in table:
        raise unknown(kind, name, sorted(table))
    arguments = _arguments(text, keywords, table[name])
    shown = ", ".join(f"{k}={v!r}" for k, v in sorted(arguments.items()))
    return Call(f"{name}({shown})" if shown else name, table[name], arguments)


def _arguments(text: str, keywords: list[ast.keyword], function: Callable[..., Any]) -> dict[str, Any]:
    parameters = inspect.signature(function).parameters
    known = ", ".join(f"{p.name}={p.default!r}" for p in parameters.values()) or "none"
    arguments: dict[str, Any] = {}
    for keyword in keywords:
        if keyword.arg is None or keyword.arg not in parameters:
            near = difflib.get_close_matches(keyword.arg or "**", parameters, n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise UserError(f"'{text}' has no argument '{keyword.arg}'.{hint} Arguments: {known}.")
        if keyword.arg in arguments:
            raise UserError(f"'{text}' gives '{keyword.arg}' twice.")
        try:
            value = ast.literal_eval(keyword.value)
        except UNREADABLE:
            raise UserError(
                f"'{text}': the value of '{keyword.arg}' must be a literal (number, text, True, tuple)."
            ) from None
        default = parameters[keyword.arg].default
        if not _compatible(value, default):
            raise UserError(
                f"'{text}': '{keyword.arg}' takes a {type(default).__name__} such as {default!r}, not {value!r}."
            )
        _check_bounds(text, keyword.arg, value, default)
        # One text for one meaning: the text names job and run directory, so defaults are left out.
        arguments[keyword.arg] = float(value) if isinstance(default, float) else value
    return {name: value for name, value in arguments.items() if value != parameters[name].default}


def _compatible(value: Any, default: Any) -> bool:
    if isinstance(default, float) and not isinstance(value, bool):
        return isinstance(value, int | float)
    if isinstance(default, tuple) and isinstance(value, tuple) and default:
        return all(_compatible(one, default[0]) for one in value)
    return default is inspect.Parameter.empty or default is None or type(value) is type(default)


def _check_bounds(text: str, name: str, value: Any, default: Any) -> None:
    """Raises UserError for a number that nothing can use: infinite in float32, or out of BOUNDS."""
    many, first = (value, default[:1]) if isinstance(default, tuple) else ((value,), (default,))
    whole = all(type(one) is int for one in first)
    low, high = BOUNDS.get(name, (0 if 0 in first else 1, GREATEST) if whole else (-LARGEST, LARGEST))
    for one in many:
        if isinstance(one, int | float) and not isinstance(one, bool) and not low <= one <= high:
            raise UserError(f"'{text:.80}': {name}={one!r:.20}; a number from {low:g} to {high:g} is needed.")
