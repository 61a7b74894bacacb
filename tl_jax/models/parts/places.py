"""Learned positions of a grid of patches for a grid of another size, as PyTorch interpolates them."""

import jax.numpy as jnp
import numpy as np

from tl_jax.core.types import Array


def cubic(t: np.ndarray, a: float) -> np.ndarray:
    """Keys' kernel: (a + 2)|t|^3 - (a + 3)|t|^2 + 1 up to 1, a(|t|^3 - 5|t|^2 + 8|t| - 4) up to 2, then 0.

    Keys 1981, doi:10.1109/TASSP.1981.1163711.
    """
    t = np.abs(t)
    near = ((a + 2) * t - (a + 3)) * t**2 + 1
    far = a * (((t - 5) * t + 8) * t - 4)
    return np.where(t <= 1, near, np.where(t < 2, far, 0.0))


def weights(old: int, new: int, smooth: bool) -> np.ndarray:
    """[new, old]: what each of `old` values on a line has of each of `new`, cell against cell.

    As PyTorch's bicubic interpolation: a = -3/4 and the last value beyond each end; smooth (antialias=True): a = -1/2,
    the kernel as wide as a new cell, and nothing beyond the ends.
    """
    at = (np.arange(new) + 0.5) * old / new - 0.5
    if smooth:
        found = cubic((np.arange(old) - at[:, None]) / max(old / new, 1.0), -0.5)
        return found / found.sum(1, keepdims=True)
    first, found = np.floor(at).astype(int), np.zeros((new, old))
    for step in range(-1, 3):
        place = np.clip(first + step, 0, old - 1)
        np.add.at(found, (np.arange(new), place), cubic(at - first - step, -0.75))
    return found


def resized(grid: Array, size: tuple[int, int], smooth: bool = False) -> Array:
    """Positions [h, w, d] for a grid of `size`: [size[0], size[1], d]."""
    if grid.shape[:2] == size:
        return grid
    rows, columns = (jnp.asarray(weights(grid.shape[i], size[i], smooth), grid.dtype) for i in (0, 1))
    return jnp.einsum("ia,jb,abd->ijd", rows, columns, grid)
