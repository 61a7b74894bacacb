"""Sound to log-mel spectrograms, on the device."""

from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from tl_jax.core.types import Array
from tl_jax.models.parts.masks import lengths

FLOOR = 1e-6
"""Added to the power before the logarithm: a sample of +-1 being full scale, far below any recording's noise."""


class Frames(NamedTuple):
    """How sound is cut: samples a second, samples of a window and between two, bands."""

    rate: int = 8000
    window: int = 200
    hop: int = 80
    bands: int = 40

    @property
    def size(self) -> int:
        """Points of the Fourier transform: the power of two from `window` up."""
        return 1 << (self.window - 1).bit_length()


def mel_filters(frames: Frames) -> np.ndarray:
    """Triangles [size / 2 + 1, bands] of height 1, equally spaced in mel from 0 to rate / 2.

    mel(f) = 2595 log10(1 + f / 700); band k rises from edge k to edge k + 1 and falls to edge k + 2, linearly in Hz.
    """
    edges = np.linspace(0, 2595 * np.log10(1 + frames.rate / 2 / 700), frames.bands + 2)
    hertz = 700 * (10 ** (edges / 2595) - 1)
    bins = np.arange(frames.size // 2 + 1)[:, None] * frames.rate / frames.size
    rising = (bins - hertz[None, :-2]) / np.diff(hertz)[None, :-1]
    falling = (hertz[None, 2:] - bins) / np.diff(hertz)[None, 1:]
    return np.maximum(0, np.minimum(rising, falling)).astype(np.float32)


def log_mel(x: Array, frames: Frames) -> Array:
    """log(FLOOR + |rfft(hann * frame)|^2 @ filters) of x [n, samples] -> [n, t, bands].

    t = 1 + (samples - window) // hop, without padding; less than one window is filled with zeros.
    """
    x = jnp.pad(x, ((0, 0), (0, max(0, frames.window - x.shape[1]))))
    count = 1 + (x.shape[1] - frames.window) // frames.hop
    rows = np.arange(count)[:, None] * frames.hop + np.arange(frames.window)[None, :]
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(frames.window) / frames.window)
    spectrum = jnp.fft.rfft(x[:, rows] * jnp.asarray(hann, x.dtype)[None, None, :], frames.size)
    power = jnp.square(spectrum.real) + jnp.square(spectrum.imag)
    return jnp.log(FLOOR + power @ jnp.asarray(mel_filters(frames), x.dtype))


def valid_frames(x: Array, frames: Frames) -> Array:
    """[n, t] float32: 1 for the frames of x [n, samples] before the zeros at its end; at least the first."""
    count = 1 + max(0, x.shape[1] - frames.window) // frames.hop
    have = 1 + jnp.maximum(lengths(x) - frames.window, 0) // frames.hop
    return (jnp.arange(count)[None, :] < have[:, None]).astype(jnp.float32)


def normalised(spectrum: Array, mask: Array) -> Array:
    """Every band of spectrum [n, t, b] to mean 0 and variance 1 over the utterance's own frames; 0 where mask is 0."""
    wide = mask[:, :, None]
    count = wide.sum(1, keepdims=True)
    centred = (spectrum - (spectrum * wide).sum(1, keepdims=True) / count) * wide
    return centred / jnp.sqrt(jnp.square(centred).sum(1, keepdims=True) / count + 1e-5)
