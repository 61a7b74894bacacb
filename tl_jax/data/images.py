"""Image files to one array: decoded at reduced scale, short side resized, centre cropped, kept in the cache."""

import io
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data import cache
from tl_jax.data.files import Files
from tl_jax.data.spec import Spec, whole

SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm")
OPTIONS = ("size", "resize", "channels")
SIDE = 64
_VERSION = 1  # of the decoding below: a change of its pixels must change this


class Look(NamedTuple):
    """How an image file becomes an array: [size, size, channels], the short side brought to `resize` first."""

    size: int = SIDE
    resize: int = SIDE
    channels: int = 3


DEFAULT = Look()


def look(spec: Spec, default: Look = DEFAULT) -> Look:
    """The look a spec asks for: ?size=224&resize=256&channels=1. Raises UserError if resize < size."""
    size = whole(spec, "size", default.size)
    resize = whole(spec, "resize", max(size, default.resize) if "size" not in spec.options else size)
    channels = whole(spec, "channels", default.channels)
    if resize < size or channels not in (1, 3):
        got = f"size={size}, resize={resize}, channels={channels}"
        raise UserError(f"{spec.text}: {got}; resize is at least size, channels are 1 or 3.")
    return Look(size, resize, channels)


def is_image(name: str) -> bool:
    """Whether the name ends like an image file's."""
    return name.lower().endswith(SUFFIXES)


def workers() -> int:
    """How many threads decode: one per processor this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def decode(data: bytes, how: Look) -> np.ndarray:
    """uint8 [size, size, channels] of an encoded image: bilinear to the short side `resize`, then the centre.

    A JPEG is decoded at 1/2, 1/4 or 1/8 of its size where that is still at least `resize`. Raises OSError.
    """
    from PIL import Image

    with Image.open(io.BytesIO(data)) as image:
        image.draft("RGB" if how.channels == 3 else "L", (how.resize, how.resize))
        if image.mode == "P" and "transparency" in image.info:
            image = image.convert("RGBA")
        return _cropped(image, how)


def fitted(image: np.ndarray, how: Look) -> np.ndarray:
    """uint8 [h, w, c] brought to [size, size, channels] in the same way."""
    from PIL import Image

    return _cropped(Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image), how)


def _cropped(image, how: Look) -> np.ndarray:
    from PIL import Image

    image = image.convert("L" if how.channels == 1 else "RGB")
    scale = how.resize / min(image.size)
    w, h = (max(how.size, round(side * scale)) for side in image.size)
    if image.size != (w, h):
        image = image.resize((w, h), Image.Resampling.BILINEAR)
    left, top = (w - how.size) // 2, (h - how.size) // 2
    image = image.crop((left, top, left + how.size, top + how.size))
    return np.asarray(image).reshape(how.size, how.size, how.channels)


def failure(files: Files, name: str) -> str:
    """'' if the image can be decoded, else what is wrong with it."""
    try:
        decode(files.read(name), Look())
    except UserError as error:
        return str(error)
    except Exception as error:  # PIL raises OSError, SyntaxError, ValueError and its own for broken files
        return f"{type(error).__name__}: {error}"
    return ""


def read_images(files: Files, how: Look) -> np.ndarray:
    """uint8 [n, size, size, channels] of all files in their order, from the cache where it holds them.

    Raises UserError that names the first file that cannot be decoded and counts the others.
    """
    shape = (len(files.names), how.size, how.size, how.channels)
    name = cache.key(_VERSION, os.path.abspath(files.root), files.names, files.stamps, tuple(how))

    def fill(out: np.ndarray) -> None:
        def one(i: int) -> None:
            out[i] = decode(files.read(files.names[i]), how)

        errors = _in_threads(one, range(len(files.names)))
        if errors:
            i, error = errors[0]
            more = f" and {len(errors) - 1} more" if len(errors) > 1 else ""
            raise UserError(
                f"{files.root}/{files.names[i]}{more} cannot be decoded ({type(error).__name__}: {error}). "
                "A file that was copied half-way looks like this: replace or remove it. "
                "'python -m launch.data check SPEC' lists every such file."
            )

    return cache.kept(name, shape, np.uint8, fill)[0]


def _in_threads(one, numbers: Sequence[int]) -> list[tuple[int, Exception]]:
    """Call one(i) for every i, on all processors: PIL decodes and resizes outside Python's lock."""

    def guarded(i: int) -> tuple[int, Exception] | None:
        try:
            one(i)
        except UserError:
            raise
        except Exception as error:  # see `failure`
            return i, error
        return None

    with ThreadPoolExecutor(workers()) as pool:
        return [error for error in pool.map(guarded, numbers, chunksize=32) if error]
