"""Many encoded images to pixels, by processes that stay for the next ones and are replaced where one dies."""

import atexit
import contextlib
import os
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import numpy as np

from tl_jax.core.errors import MachineError
from tl_jax.data.files import decoder
from tl_jax.data.files.containers import Files
from tl_jax.data.files.decoder import ANSWER, BUFFER, QUESTION, Look, examined, reason

PAYS = 32
"""Images for which starting a process pays."""
_DEATHS = 3
"""How often an image is tried whose process died of it, or beside it."""
_AT_ONCE = 32
"""Images that a process is given at a time, at most: fewer near the end, so that all end together."""


class Answers(NamedTuple):
    """Of image i: what is wrong with it, or its peak and the marks of what was done to it (see the decoder)."""

    errors: dict[int, str]
    marks: dict[int, tuple[float, tuple[str, ...]]]


def workers() -> int:
    """How many processes decode: one per processor this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def decode(files: Files, rows: Sequence[int], how: Look, out: np.ndarray, *, pays: int = PAYS) -> Answers:
    """Write the pixels of file rows[i] to out[i]; what is wrong with those that cannot be decoded, or was done to them.

    The answers are by row. pays: images for which a process is used, one that waits or a new one. Raises UserError for
    a file that cannot be read, MachineError where processes keep dying.
    """
    count = min(workers(), len(rows) // pays)
    if count < 2:
        return _here(files, range(len(rows)), (rows, how, out))
    found, size = Answers({}, {}), max(1, min(_AT_ONCE, len(rows) // (8 * count)))
    parts = [range(first, min(first + size, len(rows))) for first in range(0, len(rows), size)]
    pool = ThreadPoolExecutor(count)
    try:
        for answers in pool.map(lambda part: _there(files, part, (rows, how, out)), parts):
            found.errors.update(answers.errors)
            found.marks.update(answers.marks)
    finally:
        pool.shutdown(cancel_futures=True)
    return found


Work = tuple[Sequence[int], Look, np.ndarray]


def _here(files: Files, part: range, work: Work) -> Answers:
    """Those of the rows, by this process."""
    rows, how, out = work
    found = Answers({}, {})
    for i in part:
        data = files.read(files.names[rows[i]])
        try:
            out[i], marks, peak = examined(data, how)
        except Exception as error:  # as in the decoder
            found.errors[rows[i]] = reason(error)
        else:
            if marks:
                found.marks[rows[i]] = peak, marks
    return found


def _there(files: Files, part: range, work: Work) -> Answers:
    """Those of the rows, by a process; by this one where none can be started."""
    rows, how, out = work
    found = Answers({}, {})
    try:
        worker = _IDLE.pop() if _IDLE else _Worker()
    except (OSError, ValueError):
        return _here(files, part, work)
    name = lambda i: files.names[rows[i]]
    try:
        data = files.read(name(part[0]))
        for i in part:
            asked, deaths = worker.ask(data, how), 0
            ahead = files.read(name(i + 1)) if i + 1 < part.stop else b""  # while it decodes
            while not asked or (text := worker.answer(out[i])) is None:
                worker.end()
                deaths += 1
                if deaths == _DEATHS:
                    raise _died(f"{files.root}/{name(i)}")
                worker = _Worker()
                asked = worker.ask(data, how)
            if text.startswith("!"):
                found.errors[rows[i]] = text[1:]
            elif text:
                peak, *marks = text.split()
                found.marks[rows[i]] = float(peak), tuple(marks)
            data = ahead
    except BaseException:
        worker.end()  # with an answer on its way, or dead
        raise
    _IDLE.append(worker)
    return found


class _Worker:
    """A process that decodes one image after another."""

    def __init__(self):
        command = [sys.executable, "-P", decoder.__file__]
        self.process = subprocess.Popen(command, bufsize=BUFFER, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.sink: Any = self.process.stdin
        self.source: Any = self.process.stdout

    def ask(self, data: bytes, how: Look) -> bool:
        """Send an image; False where the process is dead."""
        try:
            self.sink.write(QUESTION.pack(len(data), *how) + data)
            self.sink.flush()
        except OSError:
            return False
        return True

    def answer(self, out: np.ndarray) -> str | None:
        """What is said of the image, whose pixels are written to out; None where the process is dead."""
        header = self.source.read(ANSWER.size)
        if len(header) < ANSWER.size:
            return None
        size = ANSWER.unpack(header)[0]
        text = self.source.read(size).decode(errors="replace")
        if not text.startswith("!") and self.source.readinto(out.reshape(-1).data) < out.size:
            return None
        return text

    def end(self) -> None:
        """The process, and what it was doing."""
        self.process.kill()
        for pipe in (self.sink, self.source):
            with contextlib.suppress(OSError):  # of bytes that nobody reads any more
                pipe.close()
        self.process.wait()


_IDLE: list[_Worker] = []
"""Processes that wait for images; they end with this one."""


def rest() -> None:
    """End the processes that wait: there is nothing to decode for some time."""
    while _IDLE:
        _IDLE.pop().end()


atexit.register(rest)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_IDLE.clear)  # their pipes are the parent's


def _died(name: str) -> MachineError:
    return MachineError(
        f"{name}: the process that decodes it died {_DEATHS} times in a row (killed because memory ran out? the "
        "system's log tells; or the file itself ends it: then replace or remove it). Run the same line again: it goes "
        "on from the last evaluation that was saved."
    )
