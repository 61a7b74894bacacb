"""Noise: Gaussian, shot, impulse, and speckle."""

import numpy as np

Draws = np.random.Generator


def gaussian_noise(x: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """x + e, e ~ N(0, c^2) in every value."""
    return x + draws.normal(size=x.shape) * (0.08, 0.12, 0.18, 0.26, 0.38)[severity]


def shot_noise(x: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """Poisson(c x) / c."""
    c = (60, 25, 12, 5, 3)[severity]
    return draws.poisson(np.clip(x, 0, 1) * c) / c


def impulse_noise(x: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """Salt and pepper: a share c of the values are 0 or 1, each with equal chance."""
    share = (0.03, 0.06, 0.09, 0.17, 0.27)[severity]
    hit, salt = draws.random(x.shape) < share, draws.random(x.shape) < 0.5
    return np.where(hit, salt.astype(x.dtype), x)


def speckle_noise(x: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """x + x e, e ~ N(0, c^2)."""
    return x + x * draws.normal(size=x.shape) * (0.15, 0.2, 0.35, 0.45, 0.6)[severity]
