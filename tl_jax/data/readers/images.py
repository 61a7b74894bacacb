"""Image files to one array, decoded by several processes and kept in the cache."""

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain, Examples
from tl_jax.data.files import cache, decoder
from tl_jax.data.files.containers import Files
from tl_jax.data.files.decoder import BUFFER, HEADER, REMARKS, Look, examined, fitted, reason
from tl_jax.data.spec import Spec, whole

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm")
OPTIONS = ("size", "resize", "channels")
FILE_OPTIONS = (*OPTIONS, "white")
DEFAULT = Look()
_VERSION = 2  # of the decoding: a change of its pixels must change this
_LEAST = 200  # images for which starting a process pays
_LARGEST = 16384  # pixels of a side
_DARK = 1 / 64  # the share of white below which deep images would keep fewer than four of 256 levels


class Answers(NamedTuple):
    """Of image i: what is wrong with it, or its peak and the marks of what was done to it (see the decoder)."""

    errors: dict[int, str]
    marks: dict[int, tuple[float, tuple[str, ...]]]


def look(spec: Spec, default: Look = DEFAULT) -> Look:
    """The look a spec asks for: ?size=224&resize=256&channels=1&white=4095. Raises UserError if resize < size."""
    size = whole(spec, "size", default.size)
    resize = whole(spec, "resize", max(size, default.resize) if "size" not in spec.options else size)
    channels = whole(spec, "channels", default.channels)
    try:
        white = float(spec.options.get("white", default.white))
    except ValueError:
        white = -1.0
    if not 0 <= white < float("inf"):
        raise UserError(f"{spec.text}: white={spec.options['white']}; the value that is white is above 0.")
    if resize > _LARGEST:
        raise UserError(f"{spec.text}: size={size}, resize={resize}; images have at most {_LARGEST} pixels a side.")
    if resize < size or channels not in (1, 3):
        got = f"size={size}, resize={resize}, channels={channels}"
        raise UserError(f"{spec.text}: {got}; resize is at least size, channels are 1 or 3.")
    return Look(size, resize, channels, white)


def is_image(name: str) -> bool:
    """Whether the name ends like an image file's."""
    return name.lower().endswith(SUFFIXES)


def workers() -> int:
    """How many processes decode: one per processor this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def read_images(files: Files, how: Look) -> tuple[np.ndarray, tuple[str, ...]]:
    """uint8 [n, size, size, channels] of all files in their order, from the cache where it holds them; and notes.

    Raises UserError that names the first file that cannot be decoded and counts the others.
    """
    shape = (len(files.names), how.size, how.size, how.channels)
    name = cache.key(_VERSION, os.path.abspath(files.root), files.names, files.stamps, tuple(how))

    def fill(out: np.ndarray) -> str:
        errors, marks = decode_all(files, how, out)
        if errors:
            first = min(errors)
            more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
            raise UserError(
                f"{files.root}/{files.names[first]}{more} cannot be decoded ({errors[first]}). "
                "A file that was copied half-way looks like this: replace or remove it. "
                "'tl-jax data check SPEC' lists every such file."
            )
        return json.dumps(_said(files, how, marks))

    array, _, remark = cache.kept(name, shape, np.uint8, fill)
    return array, tuple(json.loads(remark))


def _said(files: Files, how: Look, marks: dict[int, tuple[float, tuple[str, ...]]]) -> list[str]:
    """What was done to how many images. Raises UserError for deep ones that would all become black."""
    counts = Counter(mark for _, some in marks.values() for mark in some)
    white = f"{how.white:g}" if how.white else "what their type says (65535, of floats 1)"
    lines = [f"{counts[m]} of {len(files.names)} images {REMARKS[m].format(white=white)}" for m in REMARKS if counts[m]]
    peak = max((peak for peak, some in marks.values() if "deep" in some), default=1.0)
    if peak < _DARK and not how.white:
        raise UserError(
            f"{files.root}: {lines[0]}, but the brightest value is {peak:.2g} of that: they would be black. "
            "Say which value is white: ?white=255 (&white=255 after another option)."
        )
    if peak < 0.25:
        lines.append(f"the brightest value of these is {peak:.2g} of white: ?white=VALUE would use the whole range")
    return lines


def brought(domain: Domain, how: Look) -> Domain:
    """A domain of images in arrays at another size or with other channels: as files are, the change being noted."""
    h, w, c = domain.train.x.shape[1:]
    if (h, w, c) == (how.size, how.size, how.channels) and how.resize == how.size:
        return domain
    fit = lambda x: np.stack([fitted(image, how) for image in x])
    parts = {name: Examples(fit(part.x), part.y) for name, part in domain.splits.items()}
    note = f"brought from {h}x{w}x{c} to {how.size}x{how.size}x{how.channels}, as the spec says"
    return replace(domain, notes=(*domain.notes, note), **parts)


def sized(domain: Domain, spec: Spec) -> Domain:
    """A domain of arrays at the ?size=, ?resize= and ?channels= of its spec. Raises UserError if it has no images."""
    if not set(OPTIONS) & set(spec.options):
        return domain
    if domain.modality != "image":
        raise UserError(f"{spec.text}: {', '.join(OPTIONS)} are for images; this set holds {domain.modality}.")
    h, w, c = domain.train.x.shape[1:]
    return brought(domain, look(spec, Look(min(h, w), min(h, w), c)))


def unreadable(files: Files, white: float = 0.0) -> list[str]:
    """'NAME: reason' of every image that cannot be decoded."""
    errors = decode_all(files, Look(8, 8, white=white), np.empty((len(files.names), 8, 8, 3), np.uint8)).errors
    return [f"{files.names[i]}: {errors[i]}" for i in sorted(errors)]


def decode_all(files: Files, how: Look, out: np.ndarray) -> Answers:
    """Write the pixels of file i to out[i]; what is wrong with those that cannot be decoded, what was done to others.

    A worker that dies or cannot be started is replaced by this process. Raises UserError for a damaged archive.
    """
    n = len(files.names)
    count = min(workers(), n // _LEAST)
    if count <= 1 or not isinstance(out, np.memmap) or out.mode != "r+":
        return _here(files, how, out, range(n))
    with ThreadPoolExecutor(count) as pool:
        parts = list(pool.map(lambda first: _there(files, how, out, range(first, n, count)), range(count)))
    errors = {i: why for part in parts for i, why in part.errors.items()}
    return Answers(errors, {i: what for part in parts for i, what in part.marks.items()})


def _here(files: Files, how: Look, out: np.ndarray, rows: Sequence[int]) -> Answers:
    found = Answers({}, {})
    for i in rows:
        data = files.read(files.names[i])
        try:
            out[i], marks, peak = examined(data, how)
        except Exception as error:  # as in the decoder
            found.errors[i] = reason(error)
        else:
            if marks:
                found.marks[i] = peak, marks
    return found


def _there(files: Files, how: Look, out: np.memmap, rows: range) -> Answers:
    """Those rows by a worker process, which writes to the file itself: one thread feeds it, this one listens."""
    numbers = map(str, (out.offset, *how, rows.start, rows.stop, rows.step))
    command = [sys.executable, "-P", decoder.__file__, str(out.filename), *numbers]
    found = Answers({}, {})
    failed: list[UserError] = []
    done = 0
    with subprocess.Popen(command, bufsize=BUFFER, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as worker:
        feeder = threading.Thread(target=_feed, args=(files, rows, worker.stdin, failed))
        feeder.start()
        source = worker.stdout
        while source and len(header := source.read(HEADER.size)) == HEADER.size:
            answer = source.read(HEADER.unpack(header)[0]).decode(errors="replace")
            if answer.startswith("!"):
                found.errors[rows[done]] = answer[1:]
            elif answer:
                peak, *marks = answer.split()
                found.marks[rows[done]] = float(peak), tuple(marks)
            done += 1
        feeder.join()
    if failed:
        raise failed[0]
    rest = _here(files, how, out, rows[done:])
    return Answers(found.errors | rest.errors, found.marks | rest.marks)


def _feed(files: Files, rows: Sequence[int], sink, failed: list[UserError]) -> None:
    try:
        with sink:
            for i in rows:
                data = files.read(files.names[i])
                sink.write(HEADER.pack(len(data)) + data)
    except UserError as error:
        failed.append(error)
    except BrokenPipeError:  # the worker died: what it left undone is done here
        pass
