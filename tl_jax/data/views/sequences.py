"""Views of one sound [samples], text [t], series [t, c] or vector [d]: (key, example) -> example.

Zeros at the end of sound, text and series are padding, and stay so.
"""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array

SHIFT = 0.1
"""Largest delay of a sound, as a part of its valid length."""


def _used(x: Array) -> Array:
    """[t] bool: the places before the trailing zeros of x [t] or [t, c]."""
    busy = (x != 0).reshape(len(x), -1).any(-1)
    return jnp.arange(len(x)) < (jnp.arange(1, len(x) + 1) * busy).max()


def _span(key: Array, length: Array, share: float) -> tuple[Array, Array]:
    """Random [start, end) inside 0..length (float scalar), at most `share` of it long."""
    width, start = jax.random.uniform(key, (2,))
    width = width * share * length
    start = start * (length - width)
    return start, start + width


def _delayed(key: Array, x: Array) -> Array:
    """Earlier or later by up to a tenth of the valid length, zeros moving in."""
    n = len(x)
    most = SHIFT * _used(x).sum()
    by = jnp.round(jax.random.uniform(key, (), minval=-1.0, maxval=1.0) * most).astype(jnp.int32)
    from_ = jnp.arange(n) - by
    return jnp.where((from_ >= 0) & (from_ < n), x[jnp.clip(from_, 0, n - 1)], 0.0)


def weak_sound(key: Array, x: Array) -> Array:
    """A delay of up to a tenth of the length, and a gain of up to 6 dB either way."""
    delay, gain = jax.random.split(key)
    return jnp.clip(_delayed(delay, x) * jnp.exp2(jax.random.uniform(gain, (), x.dtype, -1.0, 1.0)), -1.0, 1.0)


def strong_sound(key: Array, x: Array) -> Array:
    """The weak view, noise 10 to 40 dB below the signal, one time mask (a fifth) and one band mask (a fifth).

    After SpecAugment (Park et al. 2019, arXiv 1904.08779), on the wave itself.
    """
    k = jax.random.split(key, 5)
    x = weak_sound(k[0], x)
    used = _used(x)
    count = used.sum()
    power = jnp.square(x).sum() / jnp.maximum(count, 1)
    loud = 10 ** (-jax.random.uniform(k[1], (), x.dtype, 10.0, 40.0) / 20)
    x = x + loud * jnp.sqrt(power) * jax.random.normal(k[2], x.shape, x.dtype)
    low, high = _span(k[3], jnp.float32(len(x) // 2 + 1), 0.2)
    bins = jnp.arange(len(x) // 2 + 1)
    x = jnp.fft.irfft(jnp.where((bins >= low) & (bins < high), 0.0, jnp.fft.rfft(x)), len(x)).astype(x.dtype)
    begin, end = _span(k[4], count.astype(jnp.float32), 0.2)
    place = jnp.arange(len(x))
    return jnp.where(used & ~((place >= begin) & (place < end)), jnp.clip(x, -1.0, 1.0), 0.0)


def _without(key: Array, x: Array, rate: float) -> Array:
    """Every word replaced by 0 with probability `rate`; the first is kept where none would be left."""
    kept = jnp.where(jax.random.bernoulli(key, rate, x.shape), 0, x)
    return jnp.where((kept != 0).any(), kept, x * (jnp.arange(len(x)) == jnp.argmax(x != 0)))


def weak_text(key: Array, x: Array) -> Array:
    """One word in ten dropped: networks skip the id 0."""
    return _without(key, x, 0.1)


def strong_text(key: Array, x: Array) -> Array:
    """One word in five exchanged with the next valid one, three in ten dropped.

    After Wei & Zou 2019, arXiv 1901.11196.
    """
    swap, drop = jax.random.split(key)
    place = jnp.arange(len(x))
    last = _used(x).sum() - 1
    chosen = jax.random.bernoulli(swap, 0.2, x.shape) & (place % 2 == 0) & (place < last)
    before = jnp.concatenate([jnp.zeros(1, bool), chosen[:-1]])
    moved = jnp.where(chosen, jnp.roll(x, -1), jnp.where(before, jnp.roll(x, 1), x))
    return _without(drop, moved, 0.3)


def _spread(x: Array, used: Array) -> Array:
    """Standard deviation of every channel of x [t, c] over its valid steps: [1, c]."""
    wide = used[:, None].astype(x.dtype)
    count = jnp.maximum(wide.sum(), 1)
    centred = (x - (x * wide).sum(0, keepdims=True) / count) * wide
    return jnp.sqrt(jnp.square(centred).sum(0, keepdims=True) / count)


def weak_series(key: Array, x: Array) -> Array:
    """Noise of .03 standard deviations, and every channel scaled by a factor around 1 (sd .1).

    Um et al. 2017, arXiv 1706.00527.
    """
    noise, scale = jax.random.split(key)
    used = _used(x)
    x = x * (1 + 0.1 * jax.random.normal(scale, (1, x.shape[1]), x.dtype))
    return jnp.where(used[:, None], x + 0.03 * _spread(x, used) * jax.random.normal(noise, x.shape, x.dtype), 0.0)


def strong_series(key: Array, x: Array) -> Array:
    """Noise of .2 standard deviations, channels scaled (sd .3), and up to a fifth of the time put at the mean."""
    k = jax.random.split(key, 3)
    used = _used(x)
    x = x * (1 + 0.3 * jax.random.normal(k[0], (1, x.shape[1]), x.dtype))
    noisy = x + 0.2 * _spread(x, used) * jax.random.normal(k[1], x.shape, x.dtype)
    begin, end = _span(k[2], used.sum().astype(jnp.float32), 0.2)
    place = jnp.arange(len(x))
    mean = (x * used[:, None]).sum(0, keepdims=True) / jnp.maximum(used.sum(), 1)
    masked = jnp.where(((place >= begin) & (place < end))[:, None], mean, noisy)
    return jnp.where(used[:, None], masked, 0.0)


def weak_vector(key: Array, x: Array) -> Array:
    """Noise of a twentieth of the vector's root mean square."""
    return x + 0.05 * jnp.sqrt(jnp.square(x).mean()) * jax.random.normal(key, x.shape, x.dtype)


def strong_vector(key: Array, x: Array) -> Array:
    """Noise of a fifth of the root mean square; one feature in five becomes 0, the others are scaled by 1 / .8."""
    noise, drop = jax.random.split(key)
    x = x + 0.2 * jnp.sqrt(jnp.square(x).mean()) * jax.random.normal(noise, x.shape, x.dtype)
    return jnp.where(jax.random.bernoulli(drop, 0.8, x.shape), x / 0.8, 0.0)
