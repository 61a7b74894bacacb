"""One encoded image to pixels; run as a script, many of them through its pipes.

As a script it is a process of `decoders.py`: PIL holds Python's lock for most of the work, so threads would not help.
It imports nothing of tl_jax, and so starts in a tenth of a second.
"""

import contextlib
import io
import re
import signal
import struct
import warnings
from typing import Any, NamedTuple

import numpy as np

QUESTION = struct.Struct("<QIIId")
"""Before the bytes of an image: how many they are, and the look that is asked for (see `Look`)."""
ANSWER = struct.Struct("<I")
"""Before an answer: the bytes of a text. '!REASON', or '' or 'PEAK MARK MARK', behind which come the pixels."""
BUFFER = 1 << 20
FORMATS = ("JPEG", "PNG", "BMP", "GIF", "WEBP", "TIFF", "PPM")
"""What a file may be by its content, whatever its name says. PIL knows others that start programs (EPS)."""
PIXELS = 120_000_000
"""The largest image that is decoded: those of cameras have up to 102 million pixels."""
REMARKS = {
    "deep": "have more than 8 bits a channel and are brought to 8: white is {white}",
    "transparent": "are transparent in part and are put on white",
    "turned": "are turned as their EXIF says",
    "frames": "have several frames or pages, of which the first is read",
}
"""{mark: what is said of the images that bear it}."""
_WHITE = {"I": 65535.0, "F": 1.0}
"""The value that is white in images whose type says nothing of their range."""


class Look(NamedTuple):
    """How an image file becomes an array: [size, size, channels], the short side brought to `resize` first.

    white: the value that is white in images of more than 8 bits; 0 is what their type says (65535; of floats 1).
    """

    size: int = 64
    resize: int = 64
    channels: int = 3
    white: float = 0.0


class Decoded(NamedTuple):
    """uint8 pixels [size, size, channels], the marks (of REMARKS) of their image, and its peak where it is deep.

    peak: the brightest value as a share of white.
    """

    pixels: np.ndarray
    marks: tuple[str, ...] = ()
    peak: float = 0.0


def decode(data: bytes, how: Look) -> np.ndarray:
    """uint8 [size, size, channels] of an encoded image: bilinear to the short side `resize`, then the centre.

    A JPEG is decoded at 1/2, 1/4 or 1/8 of its size where that is still at least `resize`. Raises OSError, ValueError.
    """
    return examined(data, how).pixels


def examined(data: bytes, how: Look) -> Decoded:
    """The image as `decode` has it and what was done to it: turned as EXIF says, put on white where transparent."""
    with opened(data) as image:
        marks = ["frames"] * _has_more(image)
        turn = _turn(image)
        image.draft("RGB" if how.channels == 3 else "L", (how.resize, how.resize))
        shallow, peak = _shallow(image, how.white)
        opaque, through = _opaque(shallow)
        upright = opaque if turn is None or image.format == "TIFF" else opaque.transpose(turn)  # PIL turns a TIFF
        marks += ["deep"] * (peak is not None) + ["turned"] * (turn is not None) + ["transparent"] * through
        return Decoded(_cropped(upright, how), tuple(marks), peak or 0.0)


def opened(data: bytes) -> Any:
    """A PIL image of one of FORMATS. Raises OSError, or ValueError for one of no pixels or too many."""
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of sizes, for which there is a limit below, and of odd tags
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    w, h = image.size
    if not 0 < w * h <= PIXELS:
        raise ValueError(f"{w} x {h} pixels; from 1 to {PIXELS / 1e6:.0f} million are read")
    return image


def fitted(image: np.ndarray, how: Look) -> np.ndarray:
    """uint8 [h, w, c] brought to [size, size, channels] in the same way."""
    from PIL import Image

    return _cropped(Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image), how)


def reason(error: Exception) -> str:
    """What is wrong with an image, without the address of the buffer that PIL quotes."""
    text = str(error) if type(error) is ValueError else f"{type(error).__name__}: {error}"
    return re.sub(r" <_io\.BytesIO.*?>", "", text)


def _shallow(image, white: float) -> tuple[Any, float | None]:
    """An image of more than 8 bits as one of 8, and its peak; None for others. Raises ValueError beyond white."""
    from PIL import Image

    if not image.mode.startswith(("I", "F")):
        return image, None
    tags = getattr(image, "tag_v2", {})
    bits = tags.get(258, (16,))[0]
    declared = 2.0**bits - 1 if image.mode.startswith("I;") and bits in (10, 12, 14, 16) else 65535.0
    white = white or _WHITE.get(image.mode, declared)
    x = np.asarray(image).astype(np.float32)
    if not np.isfinite(x).all():
        raise ValueError("it holds NaN or infinity")
    if x.min() < 0 or x.max() > white:
        raise ValueError(f"its values run from {x.min():g} to {x.max():g}, white being {white:g}: say ?white=VALUE")
    share = 1 - x / white if image.mode.startswith("I;16") and tags.get(262) == 0 else x / white  # 0 is white there
    return Image.fromarray(np.rint(share * 255).astype(np.uint8)), float(share.max())


def _has_more(image) -> bool:
    """Whether there are frames or pages after the first; the small copies in photos of telephones are none."""
    try:
        return image.format != "MPO" and bool(getattr(image, "is_animated", False))
    except Exception:  # a damaged second frame ends in one of many, and is not read
        return False


def _turn(image):
    """How the image is to be turned to be seen as its EXIF says; None where that says nothing that can be read."""
    from PIL.Image import Transpose as To

    turns = (To.FLIP_LEFT_RIGHT, To.ROTATE_180, To.FLIP_TOP_BOTTOM, To.TRANSPOSE, To.ROTATE_270, To.TRANSVERSE)
    try:
        return dict(enumerate((*turns, To.ROTATE_90), 2)).get(image.getexif().get(0x0112, 1))
    except Exception:  # of a damaged EXIF, one of many
        return None


def _opaque(image) -> tuple[Any, bool]:
    """The image on white, and whether it lets anything through."""
    from PIL import Image

    if image.mode in ("La", "RGBa"):
        image = image.convert(image.mode.upper())
    if image.mode not in ("LA", "PA", "RGBA") and "transparency" not in image.info:
        return image, False
    full = image.convert("RGBA")
    if full.getchannel("A").getextrema()[0] == 255:
        return full.convert("RGB"), False
    return Image.alpha_composite(Image.new("RGBA", full.size, "white"), full).convert("RGB"), True


def _cropped(image, how: Look) -> np.ndarray:
    from PIL import Image

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


def _serve() -> None:
    """Answer every image on standard input by what is said of it and its pixels, until there are no more."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the run's to answer, which closes the pipe when it ends
    with open(0, "rb", BUFFER) as source, open(1, "wb", BUFFER) as sink:
        while len(question := source.read(QUESTION.size)) == QUESTION.size:
            size, *how = QUESTION.unpack(question)
            pixels = b""
            try:
                found = examined(source.read(size), Look(*how))
                text, pixels = f"{found.peak!r} {' '.join(found.marks)}" if found.marks else "", found.pixels.data
            except Exception as error:  # PIL raises OSError, SyntaxError, ValueError and its own for broken files
                text = "!" + reason(error)
            sink.write(ANSWER.pack(len(text.encode())) + text.encode())
            sink.write(pixels)
            sink.flush()


if __name__ == "__main__":
    with contextlib.suppress(BrokenPipeError):  # the run was killed
        _serve()
