"""Arrays that cost time to decode, kept as memory-mapped .npy files under a key of their content.

A file is written under a temporary name and renamed, so that a kill leaves no half file, and two processes that
build the same array do each other no harm. Its last eight bytes are a checksum; a file that was damaged since is
found by it and made anew, as is one that a power cut left incomplete: nothing waits for the disk.
"""

import contextlib
import hashlib
import json
import os
import tempfile
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np

from tl_jax.core.places import user_cache

_BLOCK = 1 << 22
_BLOCKS = 256
_MARK = b"tlj2"
_A_DAY = 86400.0


def folder() -> Path:
    """Where decoded arrays are kept."""
    return user_cache() / "decoded"


def key(*parts: Any) -> str:
    """A name for what is described by `parts` (anything JSON can write)."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def checksum(array: np.ndarray) -> bytes:
    """Eight bytes of an array's content: all of it up to 1 GiB, beyond that 256 blocks of 4 MiB evenly spaced.

    Read where it lies, by several threads: what is memory-mapped is then in memory for whoever uses it next.
    """
    content = array.reshape(-1).view(np.uint8).data
    blocks = max(1, -(-len(content) // _BLOCK))
    starts = np.unique(np.linspace(0, blocks - 1, min(blocks, _BLOCKS)).astype(np.int64)) * _BLOCK
    with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
        codes = list(pool.map(lambda start: zlib.crc32(content[start : start + _BLOCK]), starts.tolist()))
    return _MARK + zlib.crc32(repr((len(content), codes)).encode()).to_bytes(4, "little")


def kept(
    name: str, shape: tuple[int, ...], dtype: np.dtype | type, fill: Callable[[np.ndarray], None]
) -> tuple[np.ndarray, bool]:
    """The array of that name, memory-mapped and read-only, and whether it was there; `fill` writes a new one in place.

    Where the folder cannot be written, the array is filled in memory.
    """
    path = folder() / f"{name}.npy"
    found = _read(path, shape, np.dtype(dtype))
    if found is not None:
        return found, True
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _sweep(path.parent)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=".building-")
        os.close(handle)
    except OSError:
        return _in_memory(shape, dtype, fill), False
    try:
        array = np.lib.format.open_memmap(temporary, "w+", dtype=np.dtype(dtype), shape=shape)
        if not _allocated(temporary):
            Path(temporary).unlink()
            return _in_memory(shape, dtype, fill), False
        fill(array)
        code = checksum(array)
        del array  # not flushed: what a power cut leaves incomplete is found by the checksum
        with open(temporary, "ab") as file:
            file.write(code)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return np.load(path, mmap_mode="r"), False


def _in_memory(shape: tuple[int, ...], dtype: np.dtype | type, fill: Callable[[np.ndarray], None]) -> np.ndarray:
    array = np.empty(shape, dtype)
    fill(array)
    return array


def _allocated(path: str) -> bool:
    """Whether the disk has room for the file: writing to a memory map on a full disk would end the process."""
    try:
        with open(path, "r+b") as file:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(file.fileno(), 0, os.path.getsize(path) + 4096)
                file.truncate(os.path.getsize(path) - 4096)
    except OSError:
        return False
    return True


def _read(path: Path, shape: tuple[int, ...], dtype: np.dtype) -> np.ndarray | None:
    """The array if the file is whole and is that array; else None."""
    try:
        with open(path, "rb") as file:
            file.seek(-8, os.SEEK_END)
            code = file.read()
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return array if array.shape == shape and array.dtype == dtype and checksum(array) == code else None


def _sweep(where: Path) -> None:
    """Remove what a killed process left half-built a day ago or earlier."""
    for path in where.glob(".building-*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _A_DAY:
                path.unlink()
