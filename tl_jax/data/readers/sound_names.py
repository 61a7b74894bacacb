"""What the names of sound files say: the class, the group, the split."""

import re
from collections.abc import Sequence

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.files.containers import Files, chosen
from tl_jax.data.files.marks import respelled, spelled
from tl_jax.data.readers.levels import by_splits
from tl_jax.data.spec import Spec

FOLDER = r"([^/]+)/[^/]+$"
"""By default the class is the folder that a file is in."""


def labelled(spec: Spec, files: Files) -> tuple[Files, Sequence[str | None], np.ndarray | None, tuple[str, ...]]:
    """The files that are examples, the label of each (None where unknown), their splits [n] or None, and notes.

    Folders named for splits above all others give the splits, unless groups do. Raises UserError (see `search`).
    """
    asked = "label" in spec.options
    given = None if {"group", "only"} & set(spec.options) or spec.whole else by_splits(list(files.names), None)
    notes: tuple[str, ...] = ()
    if given is not None:
        files = chosen(files, given.found)
        told = [
            note.replace("images", "recordings") for note in given.notes if not (asked and note.endswith("unknown"))
        ]
        notes = (*told, "the splits are those of the folders")
    part = None if given is None else given.part
    if not asked and given is not None:
        return files, [label or None for label in given.labels], part, notes
    if not asked and not any("/" in name for name in files.names):
        return files, [None] * len(files.names), part, (*notes, "no sub-folders and no label=: the labels are unknown")
    written = search(spec, files, "label", FOLDER)
    labels = [spelled(label) for label in written]
    return files, labels, part, (*notes, *respelled(written, labels))


def matches(spec: Spec, files: Files, role: str, default: str = "") -> list[re.Match | None]:
    """What the pattern of `role` finds in each name. Raises UserError for a bad pattern."""
    pattern = spec.options.get(role, default)
    try:
        compiled = re.compile(pattern)
    except (re.error, RecursionError, OverflowError) as error:
        raise UserError(f"{spec.text}: {role}={pattern} is not a regular expression ({error}).") from None
    return [compiled.search(name) for name in files.names]


def search(spec: Spec, files: Files, role: str, default: str = "") -> list[str]:
    """The first group of each match, or all of it. Raises UserError for a bad pattern or a name without a match."""
    found = [
        match and match.group(1 if match.re.groups else 0) for match in matches(spec, files, role, default)
    ]  # a group that took no part is None, as is a name without a match
    missing = [name for name, text in zip(files.names, found, strict=True) if text is None]
    if missing:
        raise UserError(
            f"{spec.text}: {role}={spec.options.get(role, default)} matches {len(found) - len(missing)} of "
            f"{len(found)} names; not, for instance, {missing[0]}."
        )
    return [text for text in found if text is not None]
