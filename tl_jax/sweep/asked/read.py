"""The right side of a sweep's flag: the argument list of a Python call, read with `ast` and never run."""

import ast
from typing import Any

from tl_jax.core.errors import UserError
from tl_jax.naming.calls import UNREADABLE
from tl_jax.sweep.asked.numbers import DRAWN, GRIDS
from tl_jax.sweep.asked.values import is_number, typed


def sides(flag: str, text: str) -> tuple[str, str]:
    """What stands before the first '=', and after it."""
    name, equals, right = text.partition("=")
    if not equals or not name.strip() or not right.strip():
        raise UserError(f"--{flag}='{text}': write name=value, value, ..., as in lam=0.1, 0.3, 1.")
    return name.strip(), right.strip()


def arguments(flag: str, text: str, right: str) -> list[ast.expr]:
    """The arguments, of which there is at least one."""
    try:
        node = ast.parse(f"f({right})", mode="eval").body
    except UNREADABLE:
        node = None
    if not isinstance(node, ast.Call) or node.keywords or not node.args or not isinstance(node.func, ast.Name):
        raise UserError(
            f"--{flag}='{text}': after '=' stand values with commas between, as in 0.1, 1 or dann, cdan(entropy=True); "
            "texts with other signs in quotes, as in 'digits:photo', 'mine.py:f(x=1)'."
        )
    return node.args


def function_of(node: ast.expr) -> str:
    """The name that is called; '' where there is no call."""
    return node.func.id if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) else ""


def values_of(flag: str, text: str, name: str, node: ast.expr) -> list[Any]:
    """What an argument stands for: one value, or those of a function of GRIDS."""
    function = function_of(node)
    if not is_number(name) or function not in GRIDS:
        return [value_of(flag, text, name, node)]
    try:
        return [typed(name, value) for value in GRIDS[function](*numbers_of(flag, text, node))]
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"--{flag}='{text}': {function}(...): {error}.") from None


def value_of(flag: str, text: str, name: str, node: ast.expr) -> Any:
    """A value in the type that a Config has."""
    if is_number(name) and function_of(node):
        raise UserError(
            f"--{flag}='{text}': of '{name}' there is {', '.join((*GRIDS, *DRAWN))}, not {function_of(node)}."
        )
    return typed(name, literal(flag, text, node))


def literal(flag: str, text: str, node: ast.expr) -> Any:
    """A literal; names and calls are the texts that they are."""
    if isinstance(node, ast.Tuple):
        return tuple(literal(flag, text, each) for each in node.elts)
    if _is_sum(node):
        return ast.unparse(node)
    try:
        return ast.literal_eval(node)
    except UNREADABLE:
        raise UserError(f"--{flag}='{text}': '{ast.unparse(node):.60}' is no literal, name or call.") from None


def numbers_of(flag: str, text: str, node: ast.expr) -> list[Any]:
    """The arguments of a function of numbers."""
    assert isinstance(node, ast.Call)
    found = [literal(flag, text, each) for each in node.args]
    if node.keywords or not all(type(one) in (int, float) for one in found):
        raise UserError(f"--{flag}='{text}': {function_of(node)}(...) takes numbers.")
    return found


def _is_sum(node: ast.expr) -> bool:
    """Whether it is names and calls with plus signs between them: methods that are added."""
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _is_sum(node.left) and _is_sum(node.right)
    return isinstance(node, ast.Name | ast.Call)
