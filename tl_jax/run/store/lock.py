"""One process a run directory: a lock that the system lets go of however the process ends."""

import contextlib
import errno
import json
import os
import socket
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

try:
    import fcntl
except ImportError:  # not on Windows
    fcntl = None

from tl_jax.core.errors import FULL, BusyError, UserError
from tl_jax.core.files import say_once

NAME = ".lock"
_READ_ONLY = (errno.EROFS, errno.EACCES, errno.EPERM)
_NO_LOCKS = (errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)


@contextlib.contextmanager
def locked(root: Path) -> Iterator[None]:
    """Hold the directory, made if need be, to the end of the block. Raises BusyError naming who has it.

    A directory that cannot be written is left without a lock (nobody can write there), as is, said once, one whose file
    system has none.
    """
    _make(root)
    try:
        handle = os.open(root / NAME, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o666)
    except OSError as error:
        if error.errno not in _READ_ONLY:
            raise
        yield
        return
    try:
        _take(handle, root)
        yield
    finally:
        os.close(handle)  # which lets go of it


def holder(root: Path) -> str:
    """Who has the directory ("process 12 on node3 since ..."), or "" where nobody has; nothing is taken or written."""
    return _look(root, _holder) or ""


def holder_of(root: Path) -> tuple[int, str] | None:
    """The process and the host that have the directory, where somebody has and it is known who."""

    def known(handle: int) -> tuple[int, str] | None:
        with contextlib.suppress(OSError, ValueError, KeyError, TypeError):
            found = json.loads(os.pread(handle, 1000, 0))
            return int(found["pid"]), str(found["host"])
        return None

    return _look(root, known)


def _look(root: Path, read: Callable[[int], Any]) -> Any:
    """What is read of the lock that somebody holds; None where nobody does."""
    try:
        handle = os.open(root / NAME, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0))
    except OSError:
        return None
    try:
        if fcntl is not None:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return read(handle)
    except OSError:
        return None
    finally:
        os.close(handle)
    return None


def _make(root: Path) -> None:
    try:
        root.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:
        if getattr(error, "errno", None) in FULL:
            raise
        raise UserError(f"--run_dir={root} cannot be made: {getattr(error, 'strerror', None) or error}.") from None


def _take(handle: int, root: Path) -> None:
    if fcntl is None:
        say_once(f"{root} cannot be locked on this system: start no second run there.")
        return
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise BusyError(
            f"{root} is in use by {_holder(handle)}. Nothing was read or written. Run the same line again when that "
            "has ended: it then says that the run is complete, or goes on with it."
        ) from None
    except OSError as error:
        if error.errno not in _NO_LOCKS:
            raise
        say_once(f"{root} cannot be locked ({error.strerror}): start no second run there.")
        return
    now = datetime.now().astimezone().isoformat(" ", "seconds")
    with contextlib.suppress(OSError):  # a full disk; the lock holds
        os.ftruncate(handle, 0)
        os.pwrite(handle, json.dumps({"pid": os.getpid(), "host": socket.gethostname(), "since": now}).encode(), 0)


def _holder(handle: int) -> str:
    try:
        found = json.loads(os.pread(handle, 1000, 0))
        return f"process {found['pid']} on {found['host']} since {found['since']}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process, which has just begun"
