"""Images in folders: class per sub-folder, or a list of files and labels."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tl_jax.core.errors import UserError, unknown
from tl_jax.data import images
from tl_jax.data.assemble import checked, class_names, numbered
from tl_jax.data.domain import Domain, Examples
from tl_jax.data.files import Files, chosen, is_archive, open_files
from tl_jax.data.spec import Spec, accept, find
from tl_jax.data.splits import SPLITS, Rows, given, split


class Listing(NamedTuple):
    """Image files that are not decoded yet, their class numbers y [n], class names and splits."""

    name: str
    files: Files
    y: np.ndarray
    classes: tuple[str, ...]
    rows: Rows


def load(spec: Spec, data_dir: str) -> Domain:
    """folder:PATH (a folder, zip or tar of CLASS/FILE) or folder:PATH#list.csv?size=64&resize=64&channels=3."""
    return opened(listing(spec, data_dir), images.look(spec))


def listing(spec: Spec, data_dir: str) -> Listing:
    """The files of a folder spec, not decoded. Raises UserError for a wrong level, an empty class or one class."""
    accept(spec, images.OPTIONS)
    path = find(spec, spec.path, data_dir)
    if path.is_file() and not is_archive(path):
        raise UserError(f"{spec.text}: {path} is a file. A folder with one sub-folder a class is needed, or its zip.")
    if spec.fragment:
        table = path / spec.fragment
        table = table if table.exists() else find(spec, spec.fragment, data_dir)
        return _listed(spec.text, open_files(path), table)
    return tree(spec.text, open_files(path), path)


def opened(found: Listing, how: images.Look) -> Domain:
    """The domain of a listing: decoded in the order of its splits, so that each is one piece of the cached array."""
    order = np.concatenate(found.rows[:2])
    everything = np.array_equal(found.rows.test, order)  # the test split is all there is: nothing is decoded twice
    order = order if everything else np.concatenate(found.rows)
    x = images.read_images(chosen(found.files, [found.files.names[i] for i in order]), how)
    y, (train, validation, _) = found.y[order], np.cumsum([len(rows) for rows in found.rows])
    part = lambda start, end: Examples(x[start:end], y[start:end])
    test = part(0 if everything else validation, len(order))
    return checked(Domain(found.name, found.classes, part(0, train), part(train, validation), test))


def tree(name: str, files: Files, path: Path | None = None, classes: Mapping[str, str] | None = None) -> Listing:
    """Files CLASS/.../FILE as a listing; a top level of train, (validation) and test folders gives the splits.

    classes: {folder: class name} where the folders are named otherwise. Raises UserError (see `listing`).
    """
    found = [n for n in files.names if images.is_image(n)]
    tops = Counter(n.split("/")[0] for n in found if "/" in n)
    marks = {top: SPLITS[top.lower()] for top in tops if top.lower() in SPLITS}
    if set(marks) == set(tops) and {0, 2} <= set(marks.values()):
        found = [n for n in found if n.count("/") >= 2]
        part = np.array([marks[n.split("/")[0]] for n in found])
        labels = [n.split("/")[1] for n in found]
    else:
        found, part = [n for n in found if "/" in n], None
        labels = [n.split("/")[0] for n in found]
    _check_level(name, files, found, labels)
    if path is not None and path.is_dir() and part is None:
        _refuse_empty(name, path, set(labels))
    labels = [classes.get(label, label) for label in labels] if classes else labels
    y, names = numbered(name, np.array(labels), class_names(np.array(labels)), "classes")
    return Listing(name, chosen(files, found), y, names, split(y) if part is None else given(y, part))


def _check_level(name: str, files: Files, found: Sequence[str], labels: Sequence[str]) -> None:
    """Raises UserError if there is no image in a sub-folder, or one class, with the level that looks right."""
    kinds = sorted(set(labels))
    deep = [(top, n.split("/")[1]) for n, top in zip(found, labels, strict=True) if n.count("/") >= 2]
    inside = [{folder for top, folder in deep if top == kind} for kind in kinds]
    if len(kinds) > 1:
        shared = set.intersection(*inside)
        if all(kind.lower() in SPLITS for kind in kinds):
            raise UserError(
                f"{name}: {files.root} has images for the splits {', '.join(kinds)} only. Folders named for splits "
                "need images in train and in test (a missing validation split is held out of train): fill the empty "
                f"one, or take one of them, as in folder:{files.root}/{kinds[0]}, whose splits are then drawn."
            )
        if len(shared) > 1 and len(deep) == len(found):
            raise UserError(
                f"{name}: the {len(kinds)} folders under {files.root} ({', '.join(kinds[:4])}) hold the same "
                f"sub-folders ({', '.join(sorted(shared)[:3])}, ...): they look like domains, not classes. "
                f"Did you mean folder:{files.root}/{kinds[0]} ?"
            )
        return
    flat = sum(images.is_image(n) for n in files.names)
    if not kinds:
        raise UserError(
            f"{name}: no image in a sub-folder of {files.root} ({len(files.names)} files, {flat} of them images). "
            "Each class needs a folder of its own: PATH/CLASS/IMAGE, or name the labels in a list: PATH#list.csv."
        )
    deeper = sorted(inside[0])
    hint = f"Put the images of another class beside {kinds[0]}/."
    if len(deeper) > 1:
        hint = (
            f"Sub-folders of it look like {len(deeper)} classes ({', '.join(deeper[:3])}, ...). "
            f"Did you mean folder:{files.root}/{kinds[0]} ?"
        )
    raise UserError(f'{name}: found 1 class ("{kinds[0]}") with {len(found)} files under {files.root}. {hint}')


def _refuse_empty(name: str, path: Path, labels: set[str]) -> None:
    here = {p.name for p in path.iterdir() if p.is_dir() and not p.name.startswith((".", "__"))}
    if empty := sorted(here - labels):
        raise UserError(
            f"{name}: no image in the class folder{'s' * (len(empty) > 1)} {', '.join(empty[:5])} of {path} "
            f"({len(labels)} others have some). Fill or remove it; images end in {', '.join(images.SUFFIXES[:5])}..."
        )


def _listed(name: str, files: Files, table: Path) -> Listing:
    """Files named by a CSV with the columns file, label and perhaps split (train, validation, test)."""
    with open(table, newline="", encoding="utf-8-sig") as text:
        lines = list(csv.DictReader(text))
    for column in ("file", "label"):
        if not lines or column not in lines[0]:
            near = unknown("column", column, lines[0] if lines else [])
            raise UserError(f"{table} needs the columns file and label (and may have split). {near}")
    known = set(files.names)
    for number, line in enumerate(lines, 2):
        if line["file"] not in known:
            raise UserError(f"{table}, line {number}: there is no {line['file']} under {files.root}.")
    part = None
    if "split" in lines[0]:
        for number, line in enumerate(lines, 2):
            if line["split"].lower() not in SPLITS:
                raise unknown(f"split in {table}, line {number}:", line["split"], SPLITS)
        part = np.array([SPLITS[line["split"].lower()] for line in lines])
    labels = np.array([line["label"] for line in lines])
    y, classes = numbered(name, labels, None, "classes")
    return Listing(
        name, chosen(files, [line["file"] for line in lines]), y, classes, split(y) if part is None else given(y, part)
    )
