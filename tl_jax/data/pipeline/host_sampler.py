"""The sampler's rows in NumPy: for processes that prepare batches and must not touch the device.

The same arithmetic as data/pipeline/sampler.py, to the bit; a test compares them.
"""

import numpy as np

from tl_jax.data.pipeline.sampler import ROUNDS

_WORD = np.uint64(0xFFFFFFFF)


def _mix(x: np.ndarray) -> np.ndarray:
    """Murmur3's finaliser on words of 32 bits, which lie in 64."""
    x = ((x ^ (x >> np.uint64(16))) * np.uint64(0x85EBCA6B)) & _WORD
    x = ((x ^ (x >> np.uint64(13))) * np.uint64(0xC2B2AE35)) & _WORD
    return x ^ (x >> np.uint64(16))


def _permute(position: np.ndarray, size: int, key: np.ndarray) -> np.ndarray:
    half = np.uint64(max(1, (max(size - 1, 1).bit_length() + 1) // 2))
    mask = (np.uint64(1) << half) - np.uint64(1)
    x = position.astype(np.uint64)
    outside = np.ones(len(x), bool)
    while outside.any():
        left, right, keys = x[outside] >> half, x[outside] & mask, key[outside]
        for i in range(ROUNDS):
            left, right = right, left ^ (_mix((right + keys[:, i]) & _WORD) & mask)
        x[outside] = (left << half) | right
        outside = x >= size
    return x.astype(np.int32)


def rows(words: np.ndarray, steps: np.ndarray, batch: int, size: int) -> np.ndarray:
    """Rows [len(steps) * batch] of a set of `size` examples that `sampler.indices` gives for those steps.

    words: the data of the stream's random key, uint32 [k].
    """
    position = (steps.astype(np.int64)[:, None] * batch + np.arange(batch)).ravel()
    epoch, offset = np.divmod(position, size)
    first, last = (np.uint64(word) for word in (words[0], words[-1]))
    seeds = _mix(first ^ _mix((last + (epoch.astype(np.uint64) & _WORD) * np.uint64(0x9E3779B9)) & _WORD))
    rounds = np.arange(1, ROUNDS + 1, dtype=np.uint64) * np.uint64(0x7F4A7C15)
    return _permute(offset, size, _mix((seeds[:, None] + (rounds & _WORD)) & _WORD))
