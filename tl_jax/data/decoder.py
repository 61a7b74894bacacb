"""One encoded image to pixels; run as a script, many of them through its pipes.

As a script it is a worker process of `decode_all`: PIL holds Python's lock for most of the work, so threads would
not help. It imports nothing of tl_jax, and so starts in a tenth of a second.
"""

import io
import re
import struct
import sys
from typing import NamedTuple

import numpy as np

HEADER = struct.Struct("<Q")
"""Before every message, in both directions: the number of bytes that follow."""
BUFFER = 1 << 20


class Look(NamedTuple):
    """How an image file becomes an array: [size, size, channels], the short side brought to `resize` first."""

    size: int = 64
    resize: int = 64
    channels: int = 3


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


def reason(error: Exception) -> str:
    """What is wrong with an image, without the address of the buffer that PIL quotes."""
    return re.sub(r" <_io\.BytesIO.*?>", "", f"{type(error).__name__}: {error}")


def _cropped(image, how: Look) -> np.ndarray:
    from PIL import Image

    if image.mode == "I;16":  # PIL would cut off what is above 255
        image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
    mode = "L" if how.channels == 1 else "RGB"
    image = image if image.mode == mode else image.convert(mode)
    scale = how.resize / min(image.size)
    w, h = (max(how.size, round(side * scale)) for side in image.size)
    left, top = (w - how.size) // 2, (h - how.size) // 2
    # Only what the crop shows is resampled: the same pixels as those of the whole, resized and then cropped.
    x, y = image.size[0] / w, image.size[1] / h
    box = (left * x, top * y, (left + how.size) * x, (top + how.size) * y)
    image = image.resize((how.size, how.size), Image.Resampling.BILINEAR, box=box)
    return np.asarray(image).reshape(how.size, how.size, how.channels)


def _serve(path: str, offset: int, how: Look, rows: range) -> None:
    """Decode every image on standard input into its row of the file, and answer with '' or with what is wrong."""
    size = how.size * how.size * how.channels
    with open(0, "rb", BUFFER) as source, open(1, "wb", BUFFER) as sink, open(path, "r+b", 0) as file:
        for row in rows:
            data = source.read(HEADER.unpack(source.read(HEADER.size))[0])
            answer = b""
            try:
                pixels = decode(data, how)
                file.seek(offset + row * size)
                file.write(pixels.data)
            except Exception as error:  # PIL raises OSError, SyntaxError, ValueError and its own for broken files
                answer = reason(error).encode()
            sink.write(HEADER.pack(len(answer)) + answer)


if __name__ == "__main__":
    # the file, where its array begins, the look (3), and the rows (start, stop, step)
    begin, *numbers = map(int, sys.argv[2:])
    _serve(sys.argv[1], begin, Look(*numbers[:3]), range(*numbers[3:]))
