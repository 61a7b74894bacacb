"""What runs were made of: the commit, and the content of code and data; and what is said where these differ."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tl_jax.core.sealed import digest, opened
from tl_jax.run.store.claim import CONTENTS

ENVIRONMENT = "environment.json"
READ_ALIKE = ("kind", "pair", "network", "standardise", "label_space", "corrupt")
"""Runs that have these in common read the same arrays, as long as nothing was changed."""


def of(run: Path) -> dict[str, str | None]:
    """{"commit", "code", "data"} of a run directory: None where that is not known."""
    return {"commit": commits(run), **_content(run)}


def commits(run: Path) -> str | None:
    """The commit of the code that made a run; joined by + where it went on with another; None where none is known."""
    try:
        first = json.loads((run / ENVIRONMENT).read_bytes())
        found = dict.fromkeys(one.get("commit") for one in (first, *first.get("later", ())) if one.get("commit"))
    except (OSError, ValueError, AttributeError):
        return None
    return "+".join(found) or None


def _content(run: Path) -> dict[str, str | None]:
    try:
        made = opened((run / CONTENTS).read_bytes())["made"]
        return {"code": digest(made["code"])[:8], "data": digest(made["domains"])[:8]}
    except (OSError, ValueError, LookupError, TypeError):
        return {"code": None, "data": None}


def differing(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """What is to be said of rows in one table: data of one name with several contents, several states of the code."""
    notes = []
    by_name: dict[tuple, dict[str, str]] = {}
    for row in rows:
        if row.get("data"):
            seen = by_name.setdefault(tuple(str(row.get(name)) for name in READ_ALIKE), {})
            seen.setdefault(row["data"], row["run_dir"])
    for key, seen in by_name.items():
        if len(seen) > 1:
            where = ", ".join(list(seen.values())[:3])
            notes.append(
                f"{key[1]}: the data or their labels are not the same in all runs ({where}): their numbers are not of "
                "one problem."
            )
    codes = {row["code"]: row.get("commit") or "unknown" for row in rows if row.get("code")}
    if len(codes) > 1:
        found = ", ".join(dict.fromkeys(codes.values()))
        notes.append(f"The runs were made by {len(codes)} states of the code (commits {found}).")
    return notes
