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
from pathlib import Path
from typing import Any

import numpy as np

from tl_jax.core.places import user_cache

_BLOCK = 1 << 20
_BLOCKS = 1024
_MARK = b"tlj1"
_A_DAY = 86400.0


def folder() -> Path:
    """Where decoded arrays are kept."""
    return user_cache() / "decoded"


def key(*parts: Any) -> str:
    """A name for what is described by `parts` (anything JSON can write)."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()[:32]


def checksum(path: Path, size: int) -> bytes:
    """Eight bytes of the first `size` bytes: all of them up to 1 GiB, beyond that 1024 blocks evenly spaced."""
    blocks = max(1, -(-size // _BLOCK))
    code = 0
    with open(path, "rb") as file:
        for number in np.unique(np.linspace(0, blocks - 1, min(blocks, _BLOCKS)).astype(np.int64)):
            file.seek(int(number) * _BLOCK)
            code = zlib.crc32(file.read(min(_BLOCK, size - int(number) * _BLOCK)), code)
    return _MARK + zlib.crc32(str(size).encode(), code).to_bytes(4, "little")


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
        del array  # not flushed: the checksum reads what was written, whether or not the disk has it yet
        size = os.path.getsize(temporary)
        code = checksum(Path(temporary), size)
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
        size = path.stat().st_size - 8
        with open(path, "rb") as file:
            file.seek(max(size, 0))
            code = file.read()
        if size <= 0 or checksum(path, size) != code:
            return None
        array = np.load(path, mmap_mode="r", allow_pickle=False)
    except (OSError, ValueError, EOFError):
        return None
    return array if array.shape == shape and array.dtype == dtype else None


def _sweep(where: Path) -> None:
    """Remove what a killed process left half-built a day ago or earlier."""
    for path in where.glob(".building-*"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime > _A_DAY:
                path.unlink()
