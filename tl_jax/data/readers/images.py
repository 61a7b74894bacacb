"""Image files to one array, decoded by several processes and kept in the cache."""

import json
import math
import os
from collections import Counter
from dataclasses import replace

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.core.files import say
from tl_jax.data.domain import Domain, Examples
from tl_jax.data.files import cache, decoders
from tl_jax.data.files.containers import Files
from tl_jax.data.files.decoder import REMARKS, Look, fitted
from tl_jax.data.files.pictures import ASKED, undecodable
from tl_jax.data.spec import Spec, whole

SUFFIXES = (".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm")
OPTIONS = ("size", "resize", "channels")
FILE_OPTIONS = (*OPTIONS, "white")
DEFAULT = Look()
MUCH = 20 * 10**9
"""Bytes of decoded images that are worth a word before they are made."""
_VERSION = 2  # of the decoding: a change of its pixels must change this
_LARGEST = 16384  # pixels of a side
_DARK = 1 / 64  # the share of white below which deep images would keep fewer than four of 256 levels


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


def read_images(files: Files, how: Look) -> tuple[np.ndarray, tuple[str, ...]]:
    """uint8 [n, size, size, channels] of all files in their order, from the cache where it holds them; and notes.

    Raises UserError that names the first file that cannot be decoded and counts the others.
    """
    shape = (len(files.names), how.size, how.size, how.channels)
    name = cache.key(_VERSION, os.path.abspath(files.root), files.names, files.stamps, tuple(how))

    def fill(out: np.ndarray) -> str:
        errors, marks = decoders.decode(files, range(len(out)), how, out)
        decoders.rest()
        if errors:
            raise undecodable(files, errors)
        return json.dumps(_said(files, how, marks))

    if (size := math.prod(shape)) > MUCH and not cache.there(name):
        _check_room(files, size)
    array, _, remark = cache.kept(name, shape, np.uint8, fill)
    return array, tuple(json.loads(remark))


def _check_room(files: Files, size: int) -> None:
    """Say what decoding so many bytes takes. Raises UserError where the disk has no room for them."""
    free, many = cache.room(), f"{files.root}: {len(files.names)} images decoded are {size / 1e9:.0f} GB"
    if size > free:
        raise UserError(
            f"{many}, and {cache.folder()} has room for {free / 1e9:.0f}. As folder:PATH?{ASKED} (&{ASKED} after "
            "another option) training images are decoded as they are drawn, and not kept. Or make room, name another "
            "place by XDG_CACHE_HOME, or choose a smaller size=."
        )
    say(f"{many}, which are kept in {cache.folder()} before the first step. Without that: folder:PATH?{ASKED}.")


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
    rows, how = range(len(files.names)), Look(8, 8, white=white)
    errors = decoders.decode(files, rows, how, np.empty((len(rows), 8, 8, 3), np.uint8)).errors
    return [f"{files.names[i]}: {errors[i]}" for i in sorted(errors)]
