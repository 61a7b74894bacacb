"""File names for what people name."""

import hashlib
import re

_PLAIN = re.compile(r"\w+(\(\w+=[\w.]+(, \w+=[\w.]+)*\))?")
LONGEST = 150
"""Bytes of a name; file systems take 255, and some are added."""


def readable(name: str) -> str:
    """Letters, digits and dots, dashes between: 'digits:printed' -> 'digits-printed'; several names may share it."""
    found = re.sub(r"[^\w.]+", "-", name).lstrip("-.").rstrip("-")
    return found.encode()[:LONGEST].decode(errors="ignore")


def slug(name: str) -> str:
    """A file name of its own for every name: 'cdan(entropy=True)' -> 'cdan-entropy-True'.

    Where the letters do not say it all ('afn(step=-1.5)', or a very long one), a digest is added.
    """
    short = readable(name)
    if _PLAIN.fullmatch(name) and len(name.encode()) <= LONGEST:
        return short
    return "-".join(filter(None, (short, hashlib.sha256(name.encode()).hexdigest()[:8])))
