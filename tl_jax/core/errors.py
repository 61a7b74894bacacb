"""Mistakes a user can mend: one message that says what, where, the choices and the fix."""

import difflib
from collections.abc import Iterable


class UserError(Exception):
    """Ends a launch script with its message and exit code 2; nothing is lost or half-written."""


def require(kind: str, name: object, choices: Iterable[str]) -> None:
    """Raises UserError (see `unknown`) unless the name is one of the choices."""
    if name not in choices:
        raise unknown(kind, name, choices)


def unknown(kind: str, name: object, choices: Iterable[str]) -> UserError:
    """Unknown method 'dan2'. Did you mean 'dan'? Available: ..."""
    choices = list(choices)
    near = difflib.get_close_matches(str(name), choices, n=1)
    hint = f" Did you mean '{near[0]}'?" if near else ""
    return UserError(f"Unknown {kind} '{name}'.{hint} Available: {', '.join(choices)}.")
