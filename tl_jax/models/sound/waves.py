"""Waves [n, samples] as published networks hear them: at their rate, the length of each known, on the device."""

from math import gcd
from typing import Any

import jax.numpy as jnp
import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.core.types import Array
from tl_jax.models.parts.masks import lengths

RATE = 16000
"""Samples a second that all published networks here hear."""
LONGEST = 1000
"""Of the two whole numbers whose ratio is that of two rates: 44,100 Hz have 160/441."""


def frames(x: Array, width: int, hop: int, count: int) -> Array:
    """Windows of x [n, samples], one every `hop` from the first sample on, zeros behind the end -> [n, count, width].

    Slices of blocks of `hop` side by side, ceil(width / hop) copies: gathered, the gradient would be a scatter.
    """
    parts = -(-width // hop)
    needed = (count + parts - 1) * hop
    x = jnp.pad(x, ((0, 0), (0, max(0, needed - x.shape[1]))))[:, :needed].reshape(len(x), -1, hop)
    return jnp.concatenate([x[:, i : i + count] for i in range(parts)], axis=-1)[:, :, :width]


def at_rate(x: Array, rate: int, wanted: int = RATE) -> tuple[Array, Array]:
    """x [n, samples] at `rate` (0: as wanted) -> (x at `wanted` [n, t], lengths [n] without the zeros at their ends).

    t = ceil(samples wanted / rate). A polyphase filter, each wave as scipy.signal.resample_poly has it alone.
    Raises UserError for rates whose ratio has no short form.
    """
    length = lengths(x)
    if rate in (0, wanted):
        return x, length
    up, down = wanted // gcd(rate, wanted), rate // gcd(rate, wanted)
    if max(up, down) > LONGEST:
        raise UserError(
            f"{rate} samples a second become {wanted} by {up}/{down}, which is too long a filter. "
            f"wav:PATH?rate={wanted} resamples in reading."
        )
    kernel, before = _phases(up, down)
    samples = -(-x.shape[1] * up // down)
    x = jnp.pad(x, ((0, 0), (before, 0)))
    x = frames(x, len(kernel), down, -(-samples // up)) @ jnp.asarray(kernel, x.dtype)
    length = length // down * up + -(-(length % down) * up // down)
    return until(x.reshape(len(x), -1)[:, :samples], length), length


def _phases(up: int, down: int) -> tuple[np.ndarray, int]:
    """The filter of each of `up` samples on the `down` samples that they replace and their neighbours [w, up], and how
    many of these stand before: y_j = sum_i h(j down - i up) x_i, h a sinc in a Kaiser window of 20 zero crossings."""
    from scipy.signal import firwin

    half = 10 * max(up, down)
    kaiser: Any = ("kaiser", 5.0)
    h = firwin(2 * half + 1, 1 / max(up, down), window=kaiser) * up
    before, behind = half // up, ((up - 1) * down + half) // up
    at = np.arange(up)[None] * down - np.arange(-before, behind + 1)[:, None] * up + half
    return np.where((at >= 0) & (at <= 2 * half), h[np.clip(at, 0, 2 * half)], 0).astype(np.float32), before


def first(count: int, length: Array) -> Array:
    """[n, count] float32: 1 for the first length [n]."""
    return (jnp.arange(count)[None] < length[:, None]).astype(jnp.float32)


def until(x: Array, length: Array) -> Array:
    """x [n, t, ...] with zeros from length [n] on."""
    kept = first(x.shape[1], length)
    return jnp.where(kept.reshape(*kept.shape, *(1,) * (x.ndim - 2)) > 0, x, 0)


def standard(x: Array, length: Array) -> Array:
    """(x - mean) / sqrt(variance + 1e-7) of each x [n, t] over its own length, behind which it is 0 and stays so."""
    count = jnp.maximum(length, 1)[:, None].astype(x.dtype)
    x = until(x - x.sum(1, keepdims=True) / count, length)
    return x / jnp.sqrt(jnp.square(x).sum(1, keepdims=True) / count + 1e-7)


def counted(length: Array, windows: tuple[tuple[int, int], ...]) -> Array:
    """How many windows of (width, hop), one layer after another, lie in length [n] samples; at least one."""
    for width, hop in windows:
        length = (length - width) // hop + 1
    return jnp.maximum(length, 1)


def least(windows: tuple[tuple[int, int], ...]) -> int:
    """The samples of which these layers make one."""
    need = 1
    for width, hop in reversed(windows):
        need = (need - 1) * hop + width
    return need


def filled(x: Array, whole: int, beyond: int = 0) -> Array:
    """Waves [n, samples] at RATE with silence up to the `whole` that a network hears, and up to as many `beyond`.

    Raises UserError for longer ones.
    """
    if x.shape[1] > whole + beyond:
        raise UserError(
            f"Waves of {x.shape[1] / RATE:.2f} s: this network hears {whole / RATE:g} s. "
            f"wav:PATH?seconds={whole / RATE:g} cuts them."
        )
    return jnp.pad(x, ((0, 0), (0, max(0, whole - x.shape[1]))))
