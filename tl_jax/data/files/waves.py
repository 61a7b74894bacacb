"""One wav file to samples: every width and any number of channels, and what is wrong with it in words."""

import io
import struct
import warnings
from typing import NamedTuple

import numpy as np

from tl_jax.core.errors import UserError

_OTHERS = {b"fLaC": "FLAC", b"OggS": "Ogg", b"ID3": "MP3", b"FORM": "AIFF", b".snd": "AU", b"\x1aE\xdf\xa3": "WebM"}
_OPEN = 0x7FFFF000  # from here on a size means "to the end": programs write it that cannot go back in a pipe
_LOUD = 4.0
"""The largest float sample that is taken for one beyond full scale, which is 1; larger ones mean another scale."""


class Wave(NamedTuple):
    """int16 samples of one channel, their rate in Hz, and the marks of what was done: "mixed", "clipped"."""

    rate: int
    samples: np.ndarray
    marks: tuple[str, ...]


def decode(name: str, data: bytes) -> Wave:
    """The wave of a file's bytes; several channels are averaged. Raises UserError with the name."""
    from scipy.io import wavfile

    data = _whole(name, data)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", wavfile.WavFileWarning)  # of chunks that hold no sound
            rate, wave = wavfile.read(io.BytesIO(data))
    except Exception as error:  # a broken header ends in one of many
        raise UserError(f"{name} is not a wav file that can be read ({error}).") from None
    if not wave.size:
        raise UserError(f"{name} holds no sound.")
    if rate < 1:
        raise UserError(f"{name} is not a wav file that can be read (a rate of {rate} Hz).")
    marks = []
    if wave.dtype == np.uint8:
        wave = (wave.astype(np.int16) - 128) * 256
    elif np.issubdtype(wave.dtype, np.signedinteger):
        wave = wave >> 8 * (wave.dtype.itemsize - 2)  # of 24 bits the low byte is empty
    else:
        peak = np.abs(wave).max()
        if not peak <= _LOUD:
            raise UserError(f"{name}: its samples are floats up to {peak:g}; from -1 to 1 is full scale.")
        marks += ["clipped"] * bool(peak > 1)
        wave = np.clip(wave, -1, 1) * 32767
    if wave.ndim == 2:
        marks += ["mixed"] * (wave.shape[-1] > 1)
        loud, wave = np.abs(wave).max(), wave.mean(1)
        if loud > 1 and np.abs(wave).max() < 1:
            raise UserError(
                f"{name}: its channels are each other's opposite, and their mean is silence. Leave one out."
            )
    return Wave(int(rate), wave.astype(np.int16), tuple(marks))


def resampled(wave: np.ndarray, rate: int, wanted: int) -> np.ndarray:
    """int16 samples at another rate, by a polyphase filter."""
    from scipy.signal import resample_poly

    if rate == wanted:
        return wave
    common = np.gcd(rate, wanted)
    out = resample_poly(wave.astype(np.float32), wanted // common, rate // common)
    return np.clip(np.rint(out), -32768, 32767).astype(np.int16)


def _whole(name: str, data: bytes) -> bytes:
    """The bytes, with the true size of the sound where the header leaves it open.

    Raises UserError for another format, or for less sound than the header promises.
    """
    if data[:4] not in (b"RIFF", b"RIFX", b"RF64") or data[8:12] != b"WAVE":
        kind = next((kind for start, kind in _OTHERS.items() if data.startswith(start)), "")
        kind = kind or ("MP4" if data[4:8] == b"ftyp" else "")
        kind = kind or ("MP3" if data[:1] == b"\xff" and data[1:2] >= b"\xe0" else "")
        what = f"but {kind}. Convert it: ffmpeg -i FILE FILE.wav" if kind else "that can be read"
        raise UserError(f"{name} is not a wav file {what}.")
    order, at = ">" if data[:4] == b"RIFX" else "<", 12
    while at + 8 <= len(data):
        chunk, (size,) = data[at : at + 4], struct.unpack(order + "I", data[at + 4 : at + 8])
        rest = len(data) - at - 8
        if chunk == b"data" and size > rest and data[:4] != b"RF64":
            if size < _OPEN:
                raise UserError(
                    f"{name} promises {size} bytes of sound and holds {rest}: it was copied half-way. Get it again."
                )
            return data[: at + 4] + struct.pack(order + "I", rest) + data[at + 8 :]
        if chunk == b"data":
            break
        at += 8 + size + size % 2
    return data
