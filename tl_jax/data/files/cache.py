"""Arrays that cost time to decode, kept as memory-mapped .npy files under a key of their content.

A file is written under a temporary name and renamed, so that a kill leaves no half file, and two processes that
build the same array do each other no harm. Its last bytes are a remark and a checksum; a file that was damaged since
is found by it and made anew, as is one that a power cut left incomplete: nothing waits for the disk. The cache is a
convenience: where it cannot be written (read-only, full, a file in its place) arrays are made in memory, which is said.
"""

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from tl_jax.core.files import not_kept, user_cache

_BLOCK = 1 << 22
_BLOCKS = 256
_MARK = b"tlj3"
_A_DAY = 86400.0


class Kept(NamedTuple):
    """A read-only array, whether it was there already, and the remark of whoever filled it."""

    array: np.ndarray
    there: bool
    remark: str


def folder() -> Path:
    """Where decoded arrays are kept."""
    return user_cache() / "decoded"


def there(name: str) -> bool:
    """Whether something is kept under that name, whole or not."""
    return (folder() / f"{name}.npy").exists()


def room() -> int:
    """Bytes that are free where arrays are kept."""
    place = folder()
    while not place.exists() and place != place.parent:
        place = place.parent
    return shutil.disk_usage(place).free


def key(*parts: Any) -> str:
    """A name for what is described by `parts` (anything JSON can write)."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def checksum(array: np.ndarray, remark: bytes = b"") -> bytes:
    """Eight bytes of an array's content and a remark: all of it up to 1 GiB, beyond 256 blocks of 4 MiB evenly spaced.

    Read where it lies, by several threads: what is memory-mapped is then in memory for whoever uses it next.
    """
    content = array.reshape(-1).view(np.uint8).data
    blocks = max(1, -(-len(content) // _BLOCK))
    starts = np.unique(np.linspace(0, blocks - 1, min(blocks, _BLOCKS)).astype(np.int64)) * _BLOCK
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        codes = list(pool.map(lambda start: zlib.crc32(content[start : start + _BLOCK]), starts.tolist()))
    return _MARK + zlib.crc32(repr((len(content), codes, remark)).encode()).to_bytes(4, "little")


def kept(name: str, shape: tuple[int, ...], dtype: np.dtype | type, fill: Callable[[np.ndarray], str | None]) -> Kept:
    """The array of that name, memory-mapped and read-only; `fill` writes a new one in place and may return a remark.

    Where the folder cannot be written, the array is filled in memory.
    """
    path = folder() / f"{name}.npy"
    try:
        found = _read(path, shape, np.dtype(dtype))
        if found is not None:
            return found
        temporary = _blank(path, shape, np.dtype(dtype))
    except OSError as error:
        not_kept(path, error)
        array = np.empty(shape, dtype)
        return Kept(array, False, fill(array) or "")
    try:
        array = np.load(temporary, mmap_mode="r+")
        remark = (fill(array) or "").encode()
        code = checksum(array, remark)
        del array  # not flushed: what a power cut leaves incomplete is found by the checksum
        with open(temporary, "ab") as file:
            file.write(remark + len(remark).to_bytes(4, "little") + code)
        os.replace(temporary, path)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return Kept(np.load(path, mmap_mode="r"), False, remark.decode())


def _blank(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> Path:
    """A new file beside `path` with an array of that shape, with the rights that the umask gives. Raises OSError.

    The disk has room for all of it: writing to a memory map on a full disk would end the process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _sweep(path.parent)
    temporary = path.parent / f".building-{secrets.token_hex(8)}"
    try:
        with open(temporary, "xb") as file:
            np.lib.format.write_array_header_1_0(
                file, {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
            )
            end = file.tell() + dtype.itemsize * int(np.prod(shape, dtype=np.int64))
            if hasattr(os, "posix_fallocate"):
                file.flush()
                os.posix_fallocate(file.fileno(), 0, end + 4096)
            file.truncate(end)
    except BaseException:
        temporary.unlink(missing_ok=True)
        raise
    return temporary


def _read(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> Kept | None:
    """The array if the file is whole and is that array; else None."""
    try:
        with open(path, "rb") as file:
            file.seek(-12, os.SEEK_END)
            end = file.read()
            long = int.from_bytes(end[:4], "little")
            file.seek(-12 - long, os.SEEK_END)
            remark = file.read(long)
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    whole = array.shape == shape and array.dtype == dtype and checksum(array, remark) == end[4:]
    return Kept(array, True, remark.decode(errors="replace")) if whole else None


def _sweep(where: Path) -> None:
    """Remove what a killed process left half-built a day ago or earlier."""
    for path in where.glob(".building-*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _A_DAY:
                path.unlink()
