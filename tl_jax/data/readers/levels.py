"""What the names of files say: which level of folders are classes, which are splits; the class and group of a sound."""

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.files.containers import Files, chosen, counted
from tl_jax.data.files.marks import respelled, spelled
from tl_jax.data.spec import Spec
from tl_jax.data.splits import SPLITS

_UNLABELLED = ("unlabeled", "unlabelled", "unsup", "unsupervised", "unannotated", "extra")
"""Folders beside those of splits whose images have no labels."""
FOLDER = r"([^/]+)/[^/]+$"
"""By default the class is the folder that a file is in."""


class Level(NamedTuple):
    """Files that are examples, the class folder of each ('' where it has none), their splits [n] or None, and notes."""

    found: list[str]
    labels: list[str]
    part: np.ndarray | None
    notes: tuple[str, ...] = ()


def folder_of(name: str) -> str:
    """'train/cat' of 'train/cat/1.jpg'; '' of '1.jpg'."""
    return name.rpartition("/")[0]


def by_classes(found: list[str]) -> Level:
    """A folder a class; or no folder and no label."""
    flat = [n for n in found if "/" not in n]
    if len(flat) == len(found):
        return Level(found, [""] * len(found), None, ("no sub-folders: the labels are unknown",) if found else ())
    return Level(
        [n for n in found if "/" in n] if flat else found,
        [n.partition("/")[0] for n in found if "/" in n],
        None,
        counted(len(flat), "images beside the class folders are left out", flat),
    )


def by_splits(found: list[str], path: Path | None) -> Level | None:
    """The level below folders named for splits, where train is among them and test or validation; else None.

    Folders of other names beside them are left out, and so are those for examples without labels. Without a test
    folder validation is the test, and a tenth of train is held out. A split without class folders has no labels.
    """
    folders = Counter(map(folder_of, found))  # of which there are few, where there may be millions of names
    tops = Counter()
    for place, n in folders.items():
        if place:
            tops[place.split("/")[0]] += n
    marks = {top: SPLITS[top.lower()] for top in tops if top.lower() in SPLITS}
    parts = set(marks.values())
    beside = sorted(set(tops) - set(marks))
    inner = {top: {place.split("/")[1] for place in folders if place.startswith(top + "/")} for top in marks}
    alike = set.intersection(*filter(None, inner.values())) if any(inner.values()) else set()
    strange = [top for top in beside if top.lower() not in _UNLABELLED]
    if 0 not in parts or len(parts) < 2 or (strange and not alike):
        return None
    notes = [
        f"{tops[top]} images in {top}/ are left out (folder:PATH/{top} reads them as a domain of their own)"
        for top in beside
    ]
    if 2 not in parts:
        if path is not None and path.is_dir() and any(SPLITS.get(p.name.lower()) == 2 for p in path.iterdir()):
            return None  # a test folder that is still empty
        marks = {top: part * 2 for top, part in marks.items()}
        notes.append("there is no test folder: validation is the test, and a tenth of train is held out for validation")
    kept, labels, part, stray = [], [], [], []
    label = {place: place.partition("/")[2].partition("/")[0] for place in folders}
    split = {place: marks.get(place.split("/")[0]) for place in folders if label[place] or not inner.get(place)}
    for n in found:
        place = folder_of(n)
        if split.get(place) is not None:
            kept.append(n)
            labels.append(label[place])
            part.append(split[place])
        elif place.split("/")[0] not in beside:
            stray.append(n)
    bare = [top for top in marks if not inner[top]]
    notes += [f"{tops[top]} images in {top}/ are in no class folder: their labels are unknown" for top in bare]
    notes += counted(len(stray), "images beside the class folders are left out", stray)
    return Level(kept, labels, np.array(part), tuple(notes))


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
