"""Images in folders: class per sub-folder, or a list of files and labels."""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.domain import UNKNOWN, Domain, Examples
from tl_jax.data.files.containers import Files, at, chosen, counted, inside, is_archive, open_files, readable
from tl_jax.data.files.marks import respelled, spelled
from tl_jax.data.files.pictures import OPTION, WHEN_READ, Pictures
from tl_jax.data.readers import image_lists, images
from tl_jax.data.readers.assemble import checked, class_names, numbered, to_predict
from tl_jax.data.readers.levels import by_classes, by_splits, folder_of
from tl_jax.data.spec import Spec, accept, choice, find
from tl_jax.data.splits import SPLITS, Rows, given, split

DRAWN = "training images are decoded when they are drawn, and not looked at before"


class Listing(NamedTuple):
    """Image files that are not decoded yet, their class numbers y [n], class names, splits, and notes."""

    name: str
    files: Files
    y: np.ndarray
    classes: tuple[str, ...]
    rows: Rows
    notes: tuple[str, ...] = ()


def load(spec: Spec, data_dir: str) -> Domain:
    """folder:PATH (a folder, zip or tar of CLASS/FILE) or folder:PATH#list.csv?size=64&resize=64&channels=3.

    decode=once: all images are decoded now, and kept; when_read: those of the training split when they are drawn.
    """
    when = choice(spec, OPTION, ("once", WHEN_READ))
    found, how = listing(spec, data_dir), images.look(spec)
    if spec.whole:
        return _whole(found, how)
    return drawn(found, how) if when == WHEN_READ else opened(found, how)


def listing(spec: Spec, data_dir: str) -> Listing:
    """The files of a folder spec, not decoded. Raises UserError for a wrong level, an empty class or one class."""
    accept(spec, (*images.FILE_OPTIONS, OPTION, *(image_lists.OPTIONS if spec.fragment else ())), listed=True)
    path = find(spec, spec.path, data_dir)
    if spec.whole and path.is_file() and images.is_image(path.name):
        return tree(spec.text, chosen(open_files(path.parent), [path.name]))
    if path.is_file() and not is_archive(path):
        raise UserError(f"{spec.text}: {path} is a file. A folder with one sub-folder a class is needed, or its zip.")
    files = open_files(path)
    if path.is_file():
        files = inside(files, images.is_image)
    if spec.fragment:
        table = path / spec.fragment
        table = table if table.exists() else find(spec, spec.fragment, data_dir)
        listed = image_lists.read(spec, files, table)
        y, classes, notes = listed.y, listed.classes, (*files.notes, *listed.notes)
        rows = split(y) if listed.part is None else given(y, listed.part)
        return Listing(spec.text, chosen(files, listed.names), y, classes, rows, notes)
    return tree(spec.text, files, path, whole=spec.whole)


def opened(found: Listing, how: images.Look) -> Domain:
    """The domain of a listing: decoded in the order of its splits, so that each is one piece of the cached array."""
    order = np.concatenate(found.rows[:2])
    everything = np.array_equal(found.rows.test, order)  # the test split is all there is: nothing is decoded twice
    order = order if everything else np.concatenate(found.rows)
    names = np.array(found.files.names)[order] if len(order) else np.zeros(0, np.str_)
    x, notes = images.read_images(chosen(found.files, names.tolist()), how)
    y, (train, validation, _) = found.y[order], np.cumsum([len(rows) for rows in found.rows])
    ends = {"train": (0, train), "validation": (train, validation), "test": (0 if everything else validation, None)}
    parts = [Examples(x[start:end], y[start:end]) for start, end in ends.values()]
    ids = {split: names[start:end] for split, (start, end) in ends.items()}
    return checked(Domain(found.name, found.classes, *parts, ids=ids, notes=(*found.notes, *notes)))


def drawn(found: Listing, how: images.Look) -> Domain:
    """The domain of a listing whose training images are decoded when they are read; the others are as in `opened`."""
    names, rows = np.array(found.files.names, object), np.concatenate(found.rows[1:])
    held, notes = np.zeros((0, how.size, how.size, how.channels), np.uint8), ()
    if len(rows):
        held, notes = images.read_images(at(found.files, rows), how)
    seen = Pictures(found.name, at(found.files, found.rows.train), how)
    x: Any = (seen, *np.split(held, [len(found.rows.validation)]))
    parts = [Examples(some, found.y[each]) for some, each in zip(x, found.rows, strict=True)]
    ids = {split: names[each] for split, each in found.rows._asdict().items()}
    notes = (*found.notes, *(f"of validation and test, {note}" for note in notes), f"{len(seen)} {DRAWN}")
    return checked(Domain(found.name, found.classes, *parts, ids=ids, notes=notes))


def _whole(found: Listing, how: images.Look) -> Domain:
    """The domain of a listing with every file in each split, in the order of their names."""
    x, notes = images.read_images(found.files, how)
    part, names = Examples(x, found.y), np.array(found.files.names)
    ids = dict.fromkeys(found.rows._fields, names)
    return to_predict(found.name, found.classes, part, part, part, ids=ids, notes=(*found.notes, *notes))


def tree(
    name: str,
    files: Files,
    path: Path | None = None,
    classes: Mapping[str, str] | None = None,
    *,
    whole: bool = False,
) -> Listing:
    """Files CLASS/.../FILE as a listing; a top level of train, (validation) and test folders gives the splits.

    Where no image is in a folder, no label is known. classes: {folder: class name} where the folders are named
    otherwise. Raises UserError (see `listing`).
    """
    found = [n for n in files.names if images.is_image(n)]
    rest = set(files.names).difference(found) if len(found) < len(files.names) else ()
    others = Counter(f".{n.rpartition('.')[2].lower()}" for n in rest if "." in n)
    notes = files.notes
    if others:
        kinds = ", ".join(f"{n} {ending}" for ending, n in others.most_common(4))
        notes += (f"{others.total()} files are no images by their ending and are left out ({kinds})",)
    level = by_splits(found, path) or by_classes(found)
    if any(level.labels) and not (whole and len(set(level.labels)) == 1):
        _check_level(name, files, Counter(zip(map(folder_of, level.found), level.labels, strict=True)))
    elif not found:
        raise UserError(
            f"{name}: there is no image in {files.root} ({len(files.names)} files{''.join(f'; {n}' for n in notes)}). "
            f"Images end in {', '.join(images.SUFFIXES[:5])}..."
        )
    if path is not None and path.is_dir() and level.part is None and any(level.labels):
        _refuse_empty(name, path, set(level.labels))
    called = {label: (classes or {}).get(label, label) for label in set(level.labels)}
    labels, bare = [called[label] for label in level.labels], {label: spelled(label) for label in called.values()}
    y, names = _numbered(name, spelt := [bare[label] for label in labels])
    files = files if len(level.found) == len(files.names) else chosen(files, level.found)
    composed = {label: unicodedata.normalize("NFC", label) for label in bare}
    notes += (*level.notes, *_same_files(files, labels), *respelled([composed[label] for label in labels], spelt))
    return Listing(name, files, y, names, split(y) if level.part is None else given(y, level.part), notes)


def _same_files(files: Files, labels: Sequence[str]) -> tuple[str, ...]:
    """A note of names that lead to one file: links; in an archive, members of one content."""
    first: dict[tuple[int, ...], int] = {}
    again = [i for i, stamp in enumerate(files.stamps) if first.setdefault(stamp, i) != i]
    torn = sum(labels[i] != labels[first[files.stamps[i]]] for i in again)
    classes = f", {torn} of them in another class" if torn else ""
    return counted(
        len(again), f"images are files that are there by another name, too{classes}", [files.names[i] for i in again]
    )


def _numbered(name: str, labels: Sequence[str]) -> tuple[np.ndarray, tuple[str, ...]]:
    """Class numbers and names of folders; -1 for ''."""
    known = np.array(labels) != ""
    y = np.full(len(labels), UNKNOWN, np.int32)
    if not known.any():
        return y, ()
    some = np.array(labels)[known]
    y[known], names = numbered(name, some, class_names(some), "classes")
    return y, names


def _check_level(name: str, files: Files, folders: Mapping[tuple[str, str], int]) -> None:
    """Raises UserError if there is no image in a sub-folder, or one class, with the level that looks right.

    folders: {(folder, label): how many images}.
    """
    labelled = [(place, label) for place, label in folders if label]
    kinds = sorted({label for _, label in labelled})
    below = {kind: set() for kind in kinds}
    for place, label in labelled:
        below[label].update(place.split("/")[1:2])
    inside = list(below.values())
    if len(kinds) > 1:
        shared = set.intersection(*inside)
        if all(kind.lower() in SPLITS for kind in kinds):
            raise UserError(
                f"{name}: {files.root} has images for the splits {', '.join(kinds)} only. Folders named for splits "
                "need images in train and in test (a missing validation split is held out of train): fill the empty "
                f"one, or take one of them, as in folder:{files.root}/{kinds[0]}, whose splits are then drawn."
            )
        if len(shared) > 1 and all("/" in place for place, _ in labelled):
            raise UserError(
                f"{name}: the {len(kinds)} folders under {files.root} ({', '.join(kinds[:4])}) hold the same "
                f"sub-folders ({', '.join(sorted(shared)[:3])}, ...): they look like domains, not classes. "
                f"Did you mean folder:{files.root}/{kinds[0]} ?"
            )
        return
    files_of_it = sum(n for (_, label), n in folders.items() if label)
    deeper = sorted(inside[0])
    hint = (
        f"Put the images of another class beside {kinds[0]}/; or, if their labels are unknown, "
        f"folder:{files.root}/{kinds[0]} reads them so."
    )
    if len(deeper) > 1:
        hint = (
            f"Sub-folders of it look like {len(deeper)} classes ({', '.join(deeper[:3])}, ...). "
            f"Did you mean folder:{files.root}/{kinds[0]} ?"
        )
    raise UserError(f'{name}: found 1 class ("{kinds[0]}") with {files_of_it} files under {files.root}. {hint}')


def _refuse_empty(name: str, path: Path, labels: set[str]) -> None:
    here = {readable(p.name) for p in path.iterdir() if p.is_dir() and not p.name.startswith((".", "__"))}
    if empty := sorted(here - labels):
        raise UserError(
            f"{name}: no image in the class folder{'s' * (len(empty) > 1)} {', '.join(empty[:5])} of {path} "
            f"({len(labels)} others have some). Fill or remove it; images end in {', '.join(images.SUFFIXES[:5])}..."
        )
