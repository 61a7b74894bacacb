"""Files in a folder, a zip or a tar, read alike and without unpacking."""

import os
import stat
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tl_jax.core.errors import UserError

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")
PACKED = (*ARCHIVES, ".rar", ".7z", ".gz", ".xz", ".bz2")
"""Endings of what lies packed among the files and is not opened."""
LARGEST = 2 << 30
"""Bytes of the largest file that is read into memory whole."""


class Files(NamedTuple):
    """Names relative to `root` with '/', a stamp (size first; times or a checksum) of each, and how to read one.

    notes: what was left out of them, with its count.
    """

    root: str
    names: tuple[str, ...]
    stamps: tuple[tuple[int, ...], ...]
    read: Callable[[str], bytes]
    notes: tuple[str, ...] = ()


def chosen(files: Files, names: Sequence[str]) -> Files:
    """Only these, in this order."""
    stamp = dict(zip(files.names, files.stamps, strict=True))
    return files._replace(names=tuple(names), stamps=tuple(stamp[name] for name in names))


def at(files: Files, rows: np.ndarray) -> Files:
    """Those of these numbers, in this order."""
    names, stamps = ([of[row] for row in rows.tolist()] for of in (files.names, files.stamps))
    return files._replace(names=tuple(names), stamps=tuple(stamps))


def below(files: Files, folder: str) -> Files:
    """Only those in a folder, with their names relative to it."""
    start = folder.strip("/") + "/" if folder.strip("/") else ""
    kept = [(n[len(start) :], s) for n, s in zip(files.names, files.stamps, strict=True) if n.startswith(start)]
    names, stamps = zip(*kept, strict=True) if kept else ((), ())
    return Files(f"{files.root}/{start}".rstrip("/"), names, stamps, lambda name: files.read(start + name), files.notes)


def inside(files: Files, wanted: Callable[[str], bool]) -> Files:
    """Those in the folder that holds all that is wanted, as most archives hold one; noted where it is not the root."""
    top = ""
    names = [name for name in files.names if wanted(name)]
    while names and len({name.partition("/")[0] for name in names}) == 1 and all("/" in name for name in names):
        top += names[0].partition("/")[0] + "/"
        names = [name.partition("/")[2] for name in names]
    if not top:
        return files
    found = below(files, top)
    return found._replace(notes=(*found.notes, f"everything lies in {top}, which is taken for the folder"))


def counted(n: int, what: str, names: Sequence[str]) -> tuple[str, ...]:
    """('3 links that lead nowhere (first: cat/1.png)',), or () where there are none; what: plural."""
    return (f"{n} {what} (first: {names[0]})",) if n else ()


def is_archive(path: Path) -> bool:
    """Whether the name is that of an archive this module reads."""
    return path.name.lower().endswith(ARCHIVES)


def open_files(path: Path) -> Files:
    """The files of a folder or an archive, sorted by name, hidden ones left out. Raises UserError."""
    from tl_jax.data.files import archives

    if path.is_dir():
        files = _folder(path)
    else:
        refuse_html(path)
        files = archives.zipped(path) if path.name.lower().endswith(".zip") else archives.tarred(path)
    packed = [name for name in files.names if name.lower().endswith(PACKED)]
    return files._replace(notes=files.notes + counted(len(packed), "archives inside are not opened", packed))


def refuse_html(path: Path) -> None:
    """Raises UserError if the file is a web page saved under a data file's name, or cannot be read."""
    try:
        with open(path, "rb") as file:
            start = file.read(512).lstrip().lower()
    except OSError as error:
        raise UserError(f"{path} cannot be read ({error.strerror}).") from None
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")):
        size = path.stat().st_size
        raise UserError(
            f"{path} is {size / 1000:.1f} KB of HTML: a web page (quota, consent or login), not the file. "
            "Delete it and download the file itself, with a browser if need be."
        )


def hidden(name: str) -> bool:
    """Whether a name is one of those that systems leave behind: .DS_Store, __MACOSX, Thumbs.db."""
    whole = f"/{name}"
    return "/." in whole or "/__MACOSX" in whole or whole.lower().endswith(("/thumbs.db", "/desktop.ini"))


def readable(name: str) -> str:
    """A name that is no UTF-8 with its strange bytes written out: any terminal and any JSON file takes it."""
    return name if name.isascii() else os.fsencode(name).decode("utf-8", "backslashreplace")


def too_large(name: str, size: int, most: int = LARGEST) -> UserError:
    """The message for a file that would fill the memory."""
    return UserError(f"{name} has {size / 1e9:.1f} GB, more than the {most / 1e9:.1f} GB that are read. Leave it out.")


def _folder(root: Path) -> Files:
    """Links are followed, but neither to nowhere nor to a folder that they are in."""
    found: dict[str, tuple[int, ...]] = {}
    strange: dict[str, str] = {}
    lost, special, loops = [], [], []
    for folder, names in _walk(root, loops):
        above = "" if folder == str(root) else os.path.relpath(folder, root).replace(os.sep, "/") + "/"
        for name in names:
            relative, path = readable(above + name), f"{folder}{os.sep}{name}"
            if hidden(relative):
                continue
            try:
                state = os.stat(path)
            except OSError:  # a link to nowhere, or to itself
                lost.append(relative)
                continue
            if not stat.S_ISREG(state.st_mode):  # reading a pipe would wait for ever
                special.append(relative)
                continue
            found[relative] = _stamp(state)
            if relative != above + name:
                strange[relative] = path
    names = tuple(sorted(found))
    notes = (
        *counted(len(lost), "links lead nowhere and are left out", sorted(lost)),
        *counted(len(loops), "links lead back to a folder they are in and are left out", sorted(loops)),
        *counted(len(special), "pipes, sockets or devices are left out", sorted(special)),
    )

    def read(name: str) -> bytes:  # it holds no second list of names: there may be millions
        try:
            with open(strange.get(name) or os.path.join(root, name), "rb") as file:
                size = os.fstat(file.fileno()).st_size
                if size > LARGEST:
                    raise too_large(f"{root}/{name}", size)
                return file.read()
        except FileNotFoundError:
            raise UserError(f"{root}: there is no {name}.") from None
        except OSError as error:
            raise UserError(f"{root}/{name} cannot be read ({error.strerror}).") from None

    return Files(str(root), names, tuple(found[name] for name in names), read, notes)


def _walk(root: Path, loops: list[str]) -> Iterator[tuple[str, list[str]]]:
    """(folder, names of its files) of a tree, through links; those that lead back above themselves go to `loops`.

    Raises UserError for a folder that cannot be opened: what it holds would be missing in silence.
    """
    above = {str(root): frozenset([_identity(os.stat(root))])}

    def refuse(error: OSError) -> None:
        raise UserError(f"{error.filename} cannot be opened ({error.strerror}). Mend its rights or move it away.")

    for folder, folders, names in os.walk(root, onerror=refuse, followlinks=True):
        ours = above.pop(folder)
        for name in list(folders):
            path = os.path.join(folder, name)
            here = _identity(os.stat(path))
            if here in ours:
                loops.append(readable(os.path.relpath(path, root)))
                folders.remove(name)
            else:
                above[path] = ours | {here}
        yield folder, names


def _identity(state: os.stat_result) -> tuple[int, int]:
    return state.st_dev, state.st_ino


def _stamp(state: os.stat_result) -> tuple[int, ...]:
    """Size, times and number of a file: what a copy that keeps size and time (cp -p, rsync -t) changes, too.

    Nothing a program can ask for sets the time of the last change (ctime): whoever writes new content under an old
    name changes it, or the file's number. Hashing the content instead would read the whole set at every start, also
    where its pixels are kept.
    """
    return state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino
