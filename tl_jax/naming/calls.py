"""Names on the command line become objects: 'cdan(entropy=True)' is a call, parsed and checked, never run as code."""

import ast
import difflib
import inspect
import io
import tokenize
from collections.abc import Callable, Mapping
from itertools import pairwise
from keyword import iskeyword, kwlist
from typing import Any, NamedTuple

from tl_jax.core.errors import UserError, unknown
from tl_jax.naming import own_code
from tl_jax.naming.from_python import HANDED, Handed

LONGEST = 2000
"""Characters of a call at most."""
GREATEST, LARGEST = 2**31 - 1, 3e38
"""Of whole numbers and of float32."""
UNREADABLE = (SyntaxError, ValueError, TypeError, RecursionError, MemoryError, OverflowError)
"""What Python's own parser raises: besides bad syntax for zero bytes, lone surrogates, nesting and endless numbers."""
BOUNDS: Mapping[str, tuple[float, float]] = {
    **dict.fromkeys(("dropout", "smoothing"), (0, 0.999)),
    **dict.fromkeys(("b1", "b2", "momentum"), (0, 0.9999)),
    **dict.fromkeys(("threshold", "decay", "p", "share", "leak", "beta"), (0, 1)),
    **dict.fromkeys(("temperature", "window", "hop", "epsilon", "sharp", "soft"), (1e-12, GREATEST)),
    **dict.fromkeys(("bottleneck", "dense", "block"), (0, GREATEST)),
}
"""Least and greatest value of an argument by its name, whatever it belongs to; whole numbers that are not here begin
with 1, or with 0 where the default is 0."""


class Call(NamedTuple):
    """A checked call: its name, the function and its keyword arguments.

    makes: the types of which a user's own function gives one.
    """

    name: str
    function: Callable[..., Any]
    arguments: dict[str, Any]
    makes: tuple[type, ...] = ()

    @property
    def text(self) -> str:
        """Canonical: one text for one meaning."""
        shown = ", ".join(f"{_written(k)}={v!r}" for k, v in sorted(self.arguments.items()))
        if isinstance(self.name, Handed) and shown:
            return self.name.called(f"({shown})", self.arguments)
        return f"{self.name}({shown})" if shown else self.name

    def changed(self, **arguments: Any) -> "Call":
        """The call with other arguments. Raises UserError for one that its function does not have."""
        for name in arguments.keys() - _parameters(self.text, self.function).keys():
            raise UserError(f"{self.text} has no argument '{name}', which is needed here: give it one.")
        return self._replace(arguments={**self.arguments, **arguments})

    def __call__(self) -> Any:
        """Raises UserError for what a user's own function raises, and where it gives something else."""
        if not own_code.is_own(self.name):
            return self.function(**self.arguments)
        with own_code.mistakes(self.text):
            made = self.function(**self.arguments)
        if not isinstance(made, self.makes):
            wanted = " or ".join(f"{kind.__module__}.{kind.__name__}" for kind in self.makes)
            raise UserError(f"{self.text} gives a {type(made).__name__}; a {wanted} is needed.")
        return made


def parse(
    text: object, table: Mapping[str, Callable[..., Any]], kind: str, makes: tuple[type, ...] = (), given: int = 0
) -> Call:
    """'mcc', 'mcc(temperature=2.0)' or 'mine.py:f(x=1)' -> Call; arguments are literals, given by name.

    makes: what functions of a user's own file must give; (): they have no door here. given: how many parameters are
    filled later. Raises UserError for an unknown name or argument, listing what exists and the nearest match, and for
    values out of their bounds.
    """
    if isinstance(text, Handed) and makes:
        return Call(text, text.function, {}, makes)
    if not isinstance(text, str):
        raise UserError(f"A {kind} is named by a text, as in 'name(arg=1)', not by {text!r:.60}: {', '.join(table)}.")
    place, inner = own_code.parts(text)
    name, keywords = _read(text, inner, kind)
    if place and not makes:
        raise UserError(f"'{text:.80}': a {kind} cannot come from a file. Available: {', '.join(table)}.")
    if not place and name not in table:
        raise unknown(kind, name, sorted(table))
    function = own_code.function(place, name, kind) if place else table[name]
    arguments = _arguments(text, keywords, function, given)
    return Call(f"{place}:{name}" if place else name, function, arguments, makes)


def _read(text: str, inner: str, kind: str) -> tuple[str, list[ast.keyword]]:
    """The name and the keyword arguments of a call."""
    if text.startswith(HANDED):
        raise UserError(f"The {kind} '{text:.80}' was handed over from Python: only there can it be handed over again.")
    try:
        if len(text) > LONGEST:
            raise ValueError
        node = ast.parse(_spoken(inner), mode="eval").body
    except UNREADABLE:
        raise UserError(f"Cannot read the {kind} '{text:.80}'. Write a name or a call, as in 'name(arg=1)'.") from None
    if isinstance(node, ast.Name):
        return node.id, []
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and not node.args:
        return node.func.id, node.keywords
    several = " Of several, each has a flag of its own." if isinstance(node, ast.Tuple) else ""
    raise UserError(
        f"Cannot read the {kind} '{text}'. Write a name or a call with named arguments: 'name(arg=1)'.{several}"
    )


def _spoken(inner: str) -> str:
    """A call whose arguments may be called like a word of Python, which then has an underscore behind it.

    'f(from="x")' -> 'f(from_="x")': no Python function has a parameter `from`, and no call of one can be parsed.
    """
    if not any(word in inner for word in kwlist):
        return inner
    lines, found = inner.split("\n"), []
    try:
        tokens = list(tokenize.generate_tokens(io.StringIO(inner).readline))
    except (tokenize.TokenError, *UNREADABLE):
        return inner  # the parser says what is wrong with it
    for one, following in pairwise(tokens):
        if one.type == tokenize.NAME and iskeyword(one.string) and following.string == "=":
            found.append(one.end)
    for line, column in reversed(found):
        lines[line - 1] = f"{lines[line - 1][:column]}_{lines[line - 1][column:]}"
    return "\n".join(lines)


def _written(name: str) -> str:
    """What a parameter is called in a text: `from_` is from."""
    bare = name.removesuffix("_")
    return bare if iskeyword(bare) else name


def _arguments(text: str, keywords: list[ast.keyword], function: Callable[..., Any], given: int) -> dict[str, Any]:
    parameters = dict(list(_parameters(text, function).items())[given:])
    shown = lambda p: _written(p.name) + str(p.replace(annotation=p.empty))[len(p.name) :]
    known = ", ".join(map(shown, parameters.values())) or "none"
    arguments: dict[str, Any] = {}
    for keyword in keywords:
        written = _written(keyword.arg or "**")
        if keyword.arg is None or keyword.arg not in parameters:
            near = difflib.get_close_matches(written, map(_written, parameters), n=1)
            hint = f" Did you mean '{near[0]}'?" if near else ""
            raise UserError(f"'{text}' has no argument '{written}'.{hint} Arguments: {known}.")
        if keyword.arg in arguments:
            raise UserError(f"'{text}' gives '{written}' twice.")
        try:
            value = ast.literal_eval(keyword.value)
        except UNREADABLE:
            raise UserError(
                f"'{text}': the value of '{written}' must be a literal (number, text, True, tuple)."
            ) from None
        default = parameters[keyword.arg].default
        if not _compatible(value, default):
            raise UserError(
                f"'{text}': '{written}' takes a {type(default).__name__} such as {default!r}, not {value!r}."
            )
        _check_bounds(text, keyword.arg, value, default)
        # One text for one meaning: the text names job and run directory, so defaults are left out.
        arguments[keyword.arg] = float(value) if isinstance(default, float) else value
    free = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    for name, one in parameters.items():
        if one.default is one.empty and one.kind not in free and name not in arguments:
            raise UserError(f"'{text}' needs a value of '{name}'. Arguments: {known}.")
    return {name: value for name, value in arguments.items() if value != parameters[name].default}


def _parameters(text: str, function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except (TypeError, ValueError) as error:
        raise UserError(f"'{text:.80}': {error}.") from None


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
    if own_code.is_own(text):
        low, high = -LARGEST, LARGEST  # what its names mean is not known here
    for one in many:
        if isinstance(one, int | float) and not isinstance(one, bool) and not low <= one <= high:
            raise UserError(f"'{text:.80}': {name}={one!r:.20}; a number from {low:g} to {high:g} is needed.")
