"""How one parameter is laid out in a PyTorch file and here, in both directions."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

Arrays = Sequence[np.ndarray]


class Layout(NamedTuple):
    """read(arrays of the file, our shape) -> our array; write(our array) -> arrays of the file."""

    read: Callable[[Arrays, tuple[int, ...]], np.ndarray]
    write: Callable[[np.ndarray], Arrays]


def _kernel_in(a: np.ndarray) -> np.ndarray:
    return a.transpose(2, 3, 1, 0) if a.ndim == 4 else a.T


def _kernel_out(a: np.ndarray) -> np.ndarray:
    return a.transpose(3, 2, 0, 1) if a.ndim == 4 else a.T


def _flat_in(a: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    if a.size != shape[0] * shape[1] or shape[0] % 49:
        return a.reshape(len(a), -1).T
    return a.reshape(len(a), -1, 7, 7).transpose(2, 3, 1, 0).reshape(-1, len(a))


def _flat_out(a: np.ndarray) -> np.ndarray:
    return a.reshape(7, 7, -1, a.shape[1]).transpose(3, 2, 0, 1)


def _positions(a: np.ndarray, shape: tuple[int, ...], tokens: int = 1) -> np.ndarray:
    """[1, tokens + s^2, d] for another square grid, by cubic interpolation; those of class tokens stay."""
    old, new = (round((n - tokens) ** 0.5) for n in (a.shape[1], shape[1]))
    if old == new or (old**2, new**2) != (a.shape[1] - tokens, shape[1] - tokens):
        return a
    import jax

    grid = a[:, tokens:].reshape(1, old, old, -1)
    grid = np.asarray(jax.image.resize(grid, (1, new, new, grid.shape[-1]), "cubic"))
    return np.concatenate([a[:, :tokens], grid.reshape(1, new * new, -1)], axis=1)


SAME = Layout(lambda arrays, shape: arrays[0], lambda a: [a])
KERNEL = Layout(lambda arrays, shape: _kernel_in(arrays[0]), lambda a: [_kernel_out(a)])
"""Convolutions OIHW <-> HWIO (depthwise ones too), dense layers [out, in] <-> [in, out]."""
SPLIT = Layout(
    lambda arrays, shape: np.concatenate([a.T for a in arrays], axis=-1),
    lambda a: [part.T for part in np.split(a, 3, axis=-1)],
)
"""Query, key and value apart in the file, side by side here."""
CHANNELS = Layout(lambda arrays, shape: arrays[0].reshape(-1), lambda a: [a.reshape(-1, 1, 1)])
"""[c, 1, 1] <-> [c]."""
FLAT = Layout(lambda arrays, shape: _flat_in(arrays[0], shape), lambda a: [_flat_out(a).reshape(a.shape[1], -1)])
"""The dense layer after a 7x7 map, which PyTorch flattens as c, h, w and we as h, w, c."""
FLAT_CONV = Layout(FLAT.read, lambda a: [_flat_out(a)])
"""The same written as a 7x7 convolution."""
CONV_1X1 = Layout(lambda arrays, shape: arrays[0].reshape(arrays[0].shape[:2]).T, lambda a: [a.T[:, :, None, None]])
"""A dense layer written as a 1x1 convolution."""
POSITIONS = Layout(lambda arrays, shape: _positions(arrays[0], shape), lambda a: [a])
TOKEN = Layout(lambda arrays, shape: arrays[0].reshape(1, 1, -1), lambda a: [a.reshape(-1)])
"""[d] <-> [1, 1, d]."""


def grid(tokens: int) -> Layout:
    """Positions [n, d] <-> [1, n, d], interpolated on another square grid; those of the first `tokens` stay."""
    return Layout(lambda arrays, shape: _positions(arrays[0][None], shape, tokens), lambda a: [a[0]])
