"""Blur: out of focus, through glass, in motion, while zooming, and Gaussian."""

from typing import Any

import numpy as np

Draws = np.random.Generator
SIDE = 224
"""Pixels of the images that the published lengths are of."""
_FINE = 16


def scale_of(x: np.ndarray) -> float:
    """Pixels of this image to one of the published."""
    return min(x.shape[:2]) / SIDE


def defocus_blur(x: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """Convolved with a disc of radius c with a smoothed edge; a pixel weighs the share of it that the disc covers."""
    radius, edge = ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))[severity]
    return convolved(x, disc(radius * scale_of(x), edge * scale_of(x)))


def glass_blur(x: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """Gaussian blur, pixels exchanged with one at most `reach` away, several times, and Gaussian blur again."""
    sigma, reach, times = ((0.7, 1, 2), (0.9, 2, 1), (1, 2, 3), (1.1, 3, 2), (1.5, 4, 2))[severity]
    scale = scale_of(x)
    reach, (height, width) = max(1, round(reach * scale)), x.shape[:2]
    x = np.array(smoothed(x, sigma * scale))
    for _ in range(times):
        shifts = draws.integers(-reach, reach, size=(height, width, 2))
        for h in range(height - reach - 1, reach - 1, -1):
            for w in range(width - reach - 1, reach - 1, -1):
                there = h + shifts[h, w, 0], w + shifts[h, w, 1]
                x[h, w], x[there] = x[there].copy(), x[h, w].copy()
    return smoothed(x, sigma * scale)


def motion_blur(x: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """Convolved with half a Gaussian along a line, within 45 degrees of level."""
    radius, sigma = ((10, 3), (15, 5), (15, 8), (15, 12), (20, 15))[severity]
    return convolved(x, streak(radius, sigma, draws.uniform(-45, 45), scale_of(x)))


def zoom_blur(x: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """The mean of the image and of itself enlarged by 1, 1 + step, ... about its middle."""
    most, step = ((1.11, 0.01), (1.16, 0.01), (1.21, 0.02), (1.26, 0.02), (1.31, 0.03))[severity]
    return np.mean([x, *(zoomed(x, factor) for factor in np.arange(1, most, step))], axis=0)


def gaussian_blur(x: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """Convolved with a Gaussian of standard deviation c."""
    return smoothed(x, (1, 2, 3, 4, 6)[severity] * scale_of(x))


def smoothed(x: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian blur of the two first axes; the edge goes on as it is."""
    from scipy.ndimage import gaussian_filter

    return gaussian_filter(x, (sigma, sigma, *[0] * (x.ndim - 2)), mode="nearest")


def zoomed(x: np.ndarray, factor: float) -> np.ndarray:
    """The middle of x enlarged by a factor to the size of x, bilinear."""
    from scipy.ndimage import affine_transform

    matrix = np.array([1 / factor, 1 / factor, *[1.0] * (x.ndim - 2)])
    middle = (np.array(x.shape) - 1) / 2
    offset: Any = middle - matrix * middle
    return affine_transform(x, matrix, offset, order=1, mode="nearest")


def convolved(x: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    """x [h, w, ...] with a kernel [k, k]; the edge goes on as its mirror."""
    from scipy.ndimage import convolve

    return convolve(x, kernel.reshape(*kernel.shape, *[1] * (x.ndim - 2)), mode="mirror")


def disc(radius: float, edge: float) -> np.ndarray:
    """A kernel [k, k] of sum 1: the share of each pixel within the radius, blurred by `edge`."""
    reach = int(np.ceil(radius)) + 1
    fine = (np.arange((2 * reach + 1) * _FINE) + 0.5) / _FINE - reach - 0.5
    inside = (fine[:, None] ** 2 + fine[None] ** 2 <= radius**2).astype(float)
    kernel = inside.reshape(2 * reach + 1, _FINE, 2 * reach + 1, _FINE).mean((1, 3))
    kernel = smoothed(kernel, edge)
    return kernel / kernel.sum()


def streak(radius: float, sigma: float, angle: float, scale: float) -> np.ndarray:
    """A kernel [k, k] of sum 1: exp(-i^2 / (2 sigma^2)) at i = 0, ..., 2 radius published pixels along a direction."""
    i = np.arange(2 * int(radius) + 1)
    weight = np.exp(-(i**2) / (2 * sigma**2))
    reach = int(np.ceil(i[-1] * scale)) + 1
    kernel = np.zeros((2 * reach + 1, 2 * reach + 1))
    y, x = (reach + i * scale * f(np.deg2rad(angle)) for f in (np.sin, np.cos))
    top, left = np.floor(y).astype(int), np.floor(x).astype(int)
    for down, right in ((0, 0), (0, 1), (1, 0), (1, 1)):  # each point lies between four pixels
        share = np.abs(1 - down - (y - top)) * np.abs(1 - right - (x - left))
        np.add.at(kernel, (top + down, left + right), weight * share)
    return kernel / kernel.sum()
