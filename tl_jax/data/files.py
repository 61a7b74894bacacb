"""Files in a folder, a zip or a tar, read alike and without unpacking."""

import os
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from tl_jax.core.errors import UserError

ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.xz", ".tar.bz2")


class Files(NamedTuple):
    """Names relative to `root` with '/', a stamp (size, time or checksum) of each, and how to read one."""

    root: str
    names: tuple[str, ...]
    stamps: tuple[tuple[int, int], ...]
    read: Callable[[str], bytes]


def chosen(files: Files, names: Sequence[str]) -> Files:
    """Only these, in this order."""
    stamp = dict(zip(files.names, files.stamps, strict=True))
    return files._replace(names=tuple(names), stamps=tuple(stamp[name] for name in names))


def below(files: Files, folder: str) -> Files:
    """Only those in a folder, with their names relative to it."""
    start = folder.strip("/") + "/" if folder.strip("/") else ""
    kept = [(n[len(start) :], s) for n, s in zip(files.names, files.stamps, strict=True) if n.startswith(start)]
    names, stamps = zip(*kept, strict=True) if kept else ((), ())
    return Files(f"{files.root}/{start}".rstrip("/"), names, stamps, lambda name: files.read(start + name))


def is_archive(path: Path) -> bool:
    """Whether the name is that of an archive this module reads."""
    return path.name.lower().endswith(ARCHIVES)


def open_files(path: Path) -> Files:
    """The files of a folder or an archive, sorted by name, hidden ones left out."""
    if path.is_dir():
        return _folder(path)
    refuse_html(path)
    return _zip(path) if path.name.lower().endswith(".zip") else _tar(path)


def refuse_html(path: Path) -> None:
    """Raises UserError if the file is a web page saved under a data file's name."""
    with open(path, "rb") as file:
        start = file.read(512).lstrip().lower()
    if start.startswith((b"<!doctype html", b"<html", b"<head", b"<?xml")):
        size = path.stat().st_size
        raise UserError(
            f"{path} is {size / 1000:.1f} KB of HTML: a web page (quota, consent or login), not the file. "
            "Delete it and download the file itself, with a browser if need be."
        )


def _hidden(name: str) -> bool:
    return any(part.startswith((".", "__MACOSX")) for part in name.split("/")) or name.endswith("Thumbs.db")


def _folder(root: Path) -> Files:
    found = []
    for folder, _, names in os.walk(root, followlinks=True):
        above = "" if folder == str(root) else os.path.relpath(folder, root).replace(os.sep, "/") + "/"
        for name in names:
            relative = above + name
            if not _hidden(relative):
                state = os.stat(os.path.join(folder, name))
                found.append((relative, (state.st_size, state.st_mtime_ns)))
    found.sort()
    return Files(str(root), tuple(n for n, _ in found), tuple(s for _, s in found), lambda n: (root / n).read_bytes())


def _zip(path: Path) -> Files:
    import zipfile

    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile:
        raise _broken(path, "zip") from None
    found = sorted((i.filename, (i.file_size, i.CRC)) for i in archive.infolist() if not i.is_dir())
    found = [(name, stamp) for name, stamp in found if not _hidden(name)]

    def read(name: str) -> bytes:
        try:
            return archive.read(name)
        except (zipfile.BadZipFile, zlib.error, EOFError) as error:
            raise UserError(f"{path}: {name} cannot be read ({error}). The archive is damaged: get it again.") from None

    return Files(str(path), tuple(n for n, _ in found), tuple(s for _, s in found), read)


def _tar(path: Path) -> Files:
    """A compressed tar is read once from end to end, since going back in it means reading it again."""
    import lzma
    import tarfile

    plain = path.name.lower().endswith(".tar")
    content: dict[str, bytes | tuple[int, int]] = {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = member.name.removeprefix("./")
                if not member.isfile() or _hidden(name):
                    continue
                file = None if plain else archive.extractfile(member)
                content[name] = file.read() if file else (member.offset_data, member.size)
    except (tarfile.TarError, EOFError, OSError, lzma.LZMAError, zlib.error):
        raise _broken(path, "tar") from None

    def read(name: str) -> bytes:
        found = content[name]
        if isinstance(found, bytes):
            return found
        with open(path, "rb") as file:
            file.seek(found[0])
            return file.read(found[1])

    changed = path.stat().st_mtime_ns
    stamp = lambda found: (len(found), zlib.crc32(found)) if isinstance(found, bytes) else (found[1], changed)
    names = tuple(sorted(content))
    return Files(str(path), names, tuple(stamp(content[name]) for name in names), read)


def _broken(path: Path, kind: str) -> UserError:
    size = path.stat().st_size
    return UserError(
        f"{path} ({size / 1e6:.1f} MB) is not a whole {kind} archive; a download that stopped half-way looks "
        "like this. Get it again and compare its size."
    )
