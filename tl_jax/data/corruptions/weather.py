"""Weather: snow, fog, brightness. (Frost is laid over photographs that are not to be had here.)"""

import numpy as np

from tl_jax.data.corruptions.blur import convolved, scale_of, streak, zoomed
from tl_jax.data.corruptions.digital import in_hsv

Draws = np.random.Generator
GREY = np.array([0.299, 0.587, 0.114])


def snow(x: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """The image paled, under flakes that fall: noise, enlarged, cut off below a level and blurred in motion."""
    mean, spread, flake, level, radius, sigma, kept = (
        (0.1, 0.3, 3, 0.5, 10, 4, 0.8),
        (0.2, 0.3, 2, 0.5, 12, 4, 0.7),
        (0.55, 0.3, 4, 0.9, 12, 8, 0.7),
        (0.55, 0.3, 4.5, 0.85, 12, 8, 0.65),
        (0.55, 0.3, 2.5, 0.85, 12, 12, 0.55),
    )[severity]
    scale = scale_of(x)
    layer = zoomed(mean + spread * draws.normal(size=x.shape[:2]), max(1.0, flake * scale))
    layer = np.clip(np.where(layer < level, 0, layer), 0, 1)
    layer = convolved(layer, streak(radius, sigma, draws.uniform(-135, -45), scale))[..., None]
    grey = x @ GREY if x.shape[2] == 3 else x[..., 0]
    pale = kept * x + (1 - kept) * np.maximum(x, grey[..., None] * 1.5 + 0.5)
    return pale + layer + np.rot90(layer, 2)


def fog(x: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """(x + c f) m / (m + c): a fractal f in [0, 1] laid over, m the greatest value of x."""
    c, decay = ((1.5, 2), (2, 2), (2.5, 1.7), (2.5, 1.5), (3, 1.4))[severity]
    height, width = x.shape[:2]
    size = 1 << (max(height, width, 2) - 1).bit_length()
    most = x.max()
    return (x + c * plasma(size, decay, draws)[:height, :width, None]) * most / (most + c)


def brightness(x: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """The value of HSV (the greatest channel) raised by c, at one hue and saturation."""
    by = (0.1, 0.2, 0.3, 0.4, 0.5)[severity]
    return in_hsv(x, lambda hue, saturation, value: (hue, saturation, np.clip(value + by, 0, 1)))


def plasma(size: int, decay: float, draws: Draws) -> np.ndarray:
    """A fractal [size, size] in [0, 1] by diamond and square, size a power of two; noise falls by `decay` a scale."""
    field, step, wibble = np.zeros((size, size)), size, 100.0
    around = lambda total: total / 4 + wibble * draws.uniform(-wibble, wibble, total.shape)
    while step >= 2:
        half = step // 2
        corners = field[::step, ::step]
        square = corners + np.roll(corners, -1, 0)
        field[half::step, half::step] = around(square + np.roll(square, -1, 1))
        middles = field[half::step, half::step]
        field[::step, half::step] = around(middles + np.roll(middles, 1, 0) + corners + np.roll(corners, -1, 1))
        field[half::step, ::step] = around(middles + np.roll(middles, 1, 1) + corners + np.roll(corners, -1, 0))
        step, wibble = half, wibble / decay
    field -= field.min()
    return field / field.max()
