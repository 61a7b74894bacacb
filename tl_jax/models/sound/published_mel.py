"""Log-mel spectrograms of waves at 16 kHz as the published extractors of Whisper and of the spectrogram transformer."""

from functools import cache

import jax.numpy as jnp
import numpy as np

from tl_jax.core.types import Array
from tl_jax.models.sound.waves import RATE, frames

WINDOW, HOP = 400, 160
"""Samples of a window, and from one to the next: 25 and 10 ms."""
LEAST = 1.192092955078125e-07
"""What the logarithm of a Kaldi spectrogram is at least of."""


def whisper_mel(x: Array, bands: int) -> Array:
    """x [n, samples] -> [n, samples // 160, bands], of a periodic Hann window around every 160th sample.

    y = log10(max(1e-10, |rfft|^2 @ filters)), then (max(y, max y - 8) + 4) / 4, the maximum of an example's own.
    Beyond either end the wave is mirrored (Radford et al. 2022, arXiv:2212.04356).
    """
    count, half = x.shape[1] // HOP, WINDOW // 2
    x = jnp.pad(x, ((0, 0), (half, half)), mode="reflect")
    hann = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(WINDOW) / WINDOW)
    y = jnp.log10(jnp.maximum(_power(x, count, hann, WINDOW) @ jnp.asarray(slaney_filters(bands)), 1e-10))
    return (jnp.maximum(y, y.max((1, 2), keepdims=True) - 8) + 4) / 4


def kaldi_mel(x: Array, bands: int) -> Array:
    """x [n, samples] -> [n, 1 + (samples - 400) // 160, bands]: log(max(LEAST, |rfft|^2 @ filters)) as Kaldi has it.

    Of every window its mean is taken away, then .97 of each sample from the next, the first being its own
    predecessor; then a symmetric Hann window, and a transform of 512 points (Gong et al. 2021, arXiv:2104.01778).
    """
    count = 1 + (x.shape[1] - WINDOW) // HOP
    hann = np.hanning(WINDOW)
    power = _power(x, count, hann, 512, kaldi=True)
    return jnp.log(jnp.maximum(power @ jnp.asarray(kaldi_filters(bands)), LEAST))


def _power(x: Array, count: int, window: np.ndarray, points: int, *, kaldi: bool = False) -> Array:
    """|rfft(window * frame)|^2 of x [n, samples] -> [n, count, points // 2 + 1]."""
    x = frames(x, WINDOW, HOP, count)
    if kaldi:
        x = x - x.mean(-1, keepdims=True)
        x = x - 0.97 * jnp.concatenate([x[..., :1], x[..., :-1]], axis=-1)
    spectrum = jnp.fft.rfft(x * jnp.asarray(window, x.dtype)[None, None], points)
    return jnp.square(spectrum.real) + jnp.square(spectrum.imag)


@cache
def slaney_filters(bands: int) -> np.ndarray:
    """Triangles [201, bands] of area 1 from 0 to 8000 Hz, equally spaced in Slaney's mel: linear up to 1 kHz."""
    mel = np.linspace(0, 15 + np.log(8) * 27 / np.log(6.4), bands + 2)
    hertz = np.where(mel < 15, 200 * mel / 3, 1000 * np.exp(np.log(6.4) / 27 * (mel - 15)))
    found = _triangles(np.linspace(0, RATE / 2, WINDOW // 2 + 1), hertz)
    return (found * (2 / (hertz[2:] - hertz[:-2]))).astype(np.float32)


@cache
def kaldi_filters(bands: int) -> np.ndarray:
    """Triangles [257, bands] of height 1 from 20 to 8000 Hz, equal and straight in mel = 1127 log(1 + f / 700)."""
    mel = lambda hertz: 1127 * np.log(1 + hertz / 700)
    edges = np.linspace(mel(20), mel(RATE / 2), bands + 2)
    return _triangles(mel(np.arange(257) * RATE / 512), edges).astype(np.float32)


def _triangles(at: np.ndarray, edges: np.ndarray) -> np.ndarray:
    rising = (at[:, None] - edges[None, :-2]) / np.diff(edges)[None, :-1]
    falling = (edges[None, 2:] - at[:, None]) / np.diff(edges)[None, 1:]
    return np.maximum(0, np.minimum(rising, falling))
