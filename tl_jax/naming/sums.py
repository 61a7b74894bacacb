"""'cdan + mcc(lam=0.1)': several calls in one text, each with a weight."""

import ast

from tl_jax.core.errors import UserError
from tl_jax.naming.from_python import Handed
from tl_jax.naming.own_code import parts

WEIGHT = "lam"
"""The argument of a summand that weighs it."""


def summands(text: str) -> list[str]:
    """The texts between the plus signs that stand in no bracket and no quotes; what is no sum is one of them."""
    if isinstance(text, Handed) or not isinstance(text, str):
        return [text]
    found, depth, quote = [""], 0, ""
    for sign in text:
        if quote or sign in "'\"":
            quote = "" if sign == quote else quote or sign
        else:
            depth += (sign in "([{") - (sign in ")]}")
        if sign == "+" and not depth and not quote:
            found.append("")
        else:
            found[-1] += sign
    found = [one.strip() for one in found]
    return found if all(found) else [text]


def names(text: str) -> list[str]:
    """What the summands are called, without their arguments."""
    return [one.partition("(")[0].strip() for one in summands(text)]


def weighed(text: str) -> tuple[str, float | None]:
    """'mcc(temperature=2, lam=0.1)' -> ('mcc(temperature=2)', 0.1); None where it has no weight of its own.

    Raises UserError for a weight that is no number. What cannot be read is left as it is, for `calls.parse` to refuse.
    """
    place, inner = parts(text)
    try:
        node = ast.parse(inner, mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return text, None
    own = [keyword for keyword in node.keywords if keyword.arg == WEIGHT] if isinstance(node, ast.Call) else []
    if not own or not isinstance(node, ast.Call):
        return text, None
    try:
        weight = ast.literal_eval(own[0].value)
    except (ValueError, TypeError):
        weight = None
    if len(own) > 1 or isinstance(weight, bool) or not isinstance(weight, int | float) or not abs(weight) < 1e30:
        raise UserError(f"'{text:.80}': {WEIGHT} takes one number, which weighs the terms of this method in the sum.")
    node.keywords.remove(own[0])
    rest = ast.unparse(node)
    return f"{place}:{rest}" if place else rest, float(weight)
