"""Zip and tar archives, whose members are read where they lie; what a member declares is checked before it is read."""

import os
import posixpath
import stat
import zlib
from collections import Counter
from pathlib import Path

from tl_jax.core.errors import UserError
from tl_jax.data.files.containers import LARGEST, Files, counted, hidden, too_large

SWOLLEN = 100
"""How many times its packed size a member may have, beyond the first FREE bytes: pictures and sound pack by two."""
FREE = 256 << 20


def zipped(path: Path) -> Files:
    """The members of a zip. Raises UserError for one that is damaged or encrypted."""
    import zipfile

    try:
        archive = zipfile.ZipFile(path)
        members = [member for member in archive.infolist() if not member.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise broken(path, "zip") from None
    link = lambda member: stat.S_ISLNK(member.external_attr >> 16)
    back = not any("/" in m.filename for m in members)  # as some programs of Windows write them
    spelled = lambda m: m.filename.replace("\\", "/") if back else m.filename
    found = {_relative(spelled(m)): m for m in members if not link(m)}  # of two of one name the last, as unzip has it
    names, notes = _sound_names(found, [spelled(m) for m in members if link(m)])
    doubled = [name for name, n in Counter(spelled(m) for m in members).items() if n > 1]
    notes += counted(len(doubled), "names stand twice in the archive; the last member of each counts", doubled)
    if locked := [name for name in names if found[name].flag_bits & 1]:
        raise UserError(f"{path}: {locked[0]} is encrypted ({len(locked)} of {len(names)} are). Unpack it first.")

    def read(name: str) -> bytes:
        if name not in found:
            raise UserError(f"{path}: there is no {name} in it.")
        member = found[name]
        if member.file_size > min(LARGEST, FREE + SWOLLEN * member.compress_size):
            packed = f"{path}: {name}, packed into {member.compress_size / 1e6:.1f} MB,"
            raise too_large(packed, member.file_size, min(LARGEST, FREE + SWOLLEN * member.compress_size))
        try:
            return archive.read(member)
        except NotImplementedError as error:
            raise UserError(f"{path}: {name} is packed in a way that cannot be read ({error}).") from None
        except (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError) as error:
            raise UserError(f"{path}: {name} cannot be read ({error}). The archive is damaged: get it again.") from None

    return Files(str(path), names, tuple((found[n].file_size, found[n].CRC) for n in names), read, notes)


def tarred(path: Path) -> Files:
    """A compressed tar is read once from end to end and kept, since going back in it means reading it again.

    Members of more than LARGEST bytes, in a compressed tar FREE, are passed over unread, whatever they are.
    """
    import lzma
    import tarfile

    plain = path.name.lower().endswith(".tar")
    content: dict[str, bytes | tuple[int, int]] = {}
    large: dict[str, int] = {}
    most, room = LARGEST if plain else FREE, FREE + SWOLLEN * path.stat().st_size
    links, hard = [], {}
    try:
        with tarfile.open(path) as archive:
            for member in archive:
                name = _relative(_utf8(member.name))
                if member.islnk():
                    hard[name] = _relative(_utf8(member.linkname))
                elif member.issym():
                    links.append(name)
                if not member.isreg() or hidden(name):
                    continue
                if member.size > most or member.issparse():
                    large[name] = member.size
                    continue
                room -= 0 if plain else member.size
                if room < 0:
                    raise UserError(f"{path} unpacks to {SWOLLEN} times its size or more. Unpack it first.")
                file = None if plain else archive.extractfile(member)
                content[name] = file.read() if file else (member.offset_data, member.size)
    except (tarfile.TarError, EOFError, OSError, lzma.LZMAError, zlib.error, ValueError):
        raise broken(path, "tar") from None
    content |= {name: content[other] for name, other in hard.items() if other in content}
    names, notes = _sound_names(content, links)
    notes += counted(len(large), f"members of more than {most / 1e9:.1f} GB, or with gaps, are left out", [*large])

    def read(name: str) -> bytes:
        if name in large:
            raise too_large(f"{path}: {name}", large[name], most)
        if name not in content:
            raise UserError(f"{path}: there is no {name} in it.")
        found = content[name]
        if isinstance(found, bytes):
            return found
        with open(path, "rb") as file:
            file.seek(found[0])
            return file.read(found[1])

    state = path.stat()
    times = (state.st_mtime_ns, state.st_ctime_ns, state.st_ino)
    stamp = lambda found: (len(found), zlib.crc32(found)) if isinstance(found, bytes) else (found[1], found[0], *times)
    return Files(str(path), names, tuple(stamp(content[name]) for name in names), read, notes)


def _sound_names(found, links: list[str]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Names of members that are files inside the archive, sorted, and notes of those left out."""
    outside = sorted(name for name in found if ".." in name.split("/"))
    names = tuple(sorted(name for name in found if not hidden(name)))
    return names, (
        *counted(len(outside), "members whose names lead out of the archive are left out", outside),
        *counted(len(links), "links in the archive are left out", links),
    )


def _relative(name: str) -> str:
    """Without what points at the root: './a/b' and '/a//b' are 'a/b'."""
    return posixpath.normpath(name.lstrip("/")) if name else name


def _utf8(name: str) -> str:
    return name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")


def broken(path: Path, kind: str) -> UserError:
    """The message for an archive that is not whole."""
    size = os.path.getsize(path)
    return UserError(
        f"{path} ({size / 1e6:.1f} MB) is not a whole {kind} archive; a download that stopped half-way looks "
        "like this. Get it again and compare its size."
    )
