"""Where files lie that outlive a run, and how a file is written whole or not at all."""

import atexit
import contextlib
import functools
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

PART = ".part"
"""How the name of a file ends that is being written; it begins with a dot."""
A_DAY = 86400.0


def user_cache() -> Path:
    """Where what was learnt of this machine and what was decoded once is kept between runs.

    Without a home directory it is a folder that goes when the process ends.
    """
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "tl_jax"
    except RuntimeError:
        say_once("there is no home directory: nothing is kept between runs. XDG_CACHE_HOME names a place for it.")
        return _of_this_process()


@functools.cache
def _of_this_process() -> Path:
    return temporary_folder("tl_jax-cache-")


def temporary_folder(prefix: str) -> Path:
    """A new folder among the temporary files, removed when the process ends."""
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    made_by = os.getpid()
    atexit.register(lambda: os.getpid() == made_by and shutil.rmtree(folder, ignore_errors=True))
    return folder


def say(line: str) -> None:
    """A line to the person, on the error stream."""
    with contextlib.suppress(OSError):
        print(f"tl_jax: {line}", file=sys.stderr, flush=True)


@functools.cache
def say_once(line: str) -> None:
    """The same, once a process."""
    say(line)


def write_atomically(path: Path, content: bytes) -> None:
    """The whole file or nothing: a temporary file in the same folder, synced, then renamed. Rights are the umask's."""
    with _written_beside(path, content) as whole:
        os.replace(whole, path)


def write_first(path: Path, content: bytes) -> bool:
    """Write a file unless it is there; returns whether it was not: of several processes at once one is the first."""
    with _written_beside(path, content) as whole:
        try:
            os.link(whole, path)
        except FileExistsError:
            return False
        except OSError:  # a file system without links: the last of those that look at one moment wins
            if path.exists():
                return False
            os.replace(whole, path)
    return True


@contextlib.contextmanager
def _written_beside(path: Path, content: bytes) -> Iterator[Path]:
    """The content in a temporary file of the same folder, synced; what is not renamed in the block is removed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = temporary_beside(path)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        yield name
    finally:
        name.unlink(missing_ok=True)


def temporary_beside(path: Path) -> tuple[int, Path]:
    """An open file of a new name in the folder of `path`, for what is to become `path`; see `sweep`."""
    short = os.fsdecode(os.fsencode(path.name)[:100])
    name = path.with_name(f".{short}.{secrets.token_hex(4)}{PART}")
    return os.open(name, os.O_RDWR | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), 0o666), name


def sweep(folder: Path, older: float = 0.0) -> None:
    """Remove what killed processes left half-written in a folder and those below it, `older` seconds ago or more."""
    for path in folder.rglob(f".*{PART}"):
        with contextlib.suppress(OSError):
            if time.time() - path.stat().st_mtime >= older:
                path.unlink()


def keep_in_cache(path: Path, content: bytes) -> bool:
    """Write a file that is a convenience; where it cannot be, say so once and go on. Returns whether it was written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep(path.parent, A_DAY)
        write_atomically(path, content)
    except OSError as error:
        not_kept(path, error)
        return False
    return True


def not_kept(path: Path, error: OSError) -> None:
    """Say once that the cache cannot be written, and why."""
    say_once(f"nothing is kept between runs in {path.parent}: {error.strerror or error}. The run goes on without.")
