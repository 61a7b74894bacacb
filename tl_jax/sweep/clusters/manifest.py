"""Plain values as YAML: mappings, lists, texts, whole numbers, truths."""

import json
import re
from typing import Any

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./-]*")
_WORDS = ("true", "false", "null", "yes", "no", "on", "off", "y", "n")


def yaml(value: Any, indent: str = "") -> str:
    """The lines of a mapping or a list, each with the indent; texts of several lines stand as blocks."""
    if isinstance(value, dict):
        return "".join(f"{indent}{_scalar(name)}:{_after(one, indent + '  ')}" for name, one in value.items())
    # A list's first line begins after its dash, which takes the place of two blanks.
    items = [_after(one, indent + "  ") for one in value]
    return "".join(f"{indent}-{' ' + one.lstrip() if one.startswith(chr(10)) else one}" for one in items)


def _after(value: Any, indent: str) -> str:
    if isinstance(value, dict | list) and value:
        return f"\n{yaml(value, indent)}"
    if isinstance(value, str) and "\n" in value:
        return " |\n" + "".join(f"{indent}{line}".rstrip() + "\n" for line in value.rstrip("\n").split("\n"))
    return f" {_scalar(value)}\n"


def _scalar(value: Any) -> str:
    plain = isinstance(value, str) and _PLAIN.fullmatch(value) and value.lower() not in _WORDS
    return value if plain else json.dumps(value)
