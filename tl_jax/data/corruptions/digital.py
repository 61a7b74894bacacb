"""Digital: contrast, elastic distortion, pixelation, JPEG, saturation."""

import io
from collections.abc import Callable

import numpy as np

Draws = np.random.Generator
_PUBLISHED = 244 / 224
"""The published constants of the elastic distortion are shares of 244 pixels, for images of 224."""


def contrast(x: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """(x - m) c + m, m the mean of each channel."""
    mean = x.mean((0, 1))
    return (x - mean) * (0.4, 0.3, 0.2, 0.1, 0.05)[severity] + mean


def elastic_transform(x: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """A random affine map, then every pixel moved by a * (smoothed noise in [-1, 1]): shares of a side."""
    from scipy.ndimage import affine_transform, gaussian_filter, map_coordinates

    by, sigma, corner = ((2, 0.7, 0.1), (2, 0.08, 0.2), (0.05, 0.01, 0.02), (0.07, 0.01, 0.02), (0.12, 0.01, 0.02))[
        severity
    ]
    (height, width), side = x.shape[:2], min(x.shape[:2]) * _PUBLISHED
    third, middle = min(height, width) / 3, np.array([height, width]) / 2
    before = middle + third * np.array([[1, 1], [1, -1], [-1, -1]])
    after = before + draws.uniform(-corner, corner, size=(3, 2)) * side
    # Places in the image, from places in the result: [A | b] with before = A after + b.
    found = np.linalg.solve(np.hstack([after, np.ones((3, 1))]), before).T
    turned = lambda channel: affine_transform(channel, found[:, :2], found[:, 2], order=1, mode="mirror")
    noise = lambda: gaussian_filter(
        draws.uniform(-1, 1, size=(height, width)), sigma * side, mode="reflect", truncate=3
    )
    places = np.mgrid[:height, :width] + by * side * np.stack([noise(), noise()])
    moved = lambda channel: map_coordinates(turned(channel), places, order=1, mode="reflect")
    return np.stack([moved(x[..., c]) for c in range(x.shape[2])], axis=-1)


def pixelate(x: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """Made smaller to a share c of its sides, and as large again, by boxes."""
    from PIL import Image

    share, (height, width) = (0.6, 0.5, 0.4, 0.3, 0.25)[severity], x.shape[:2]
    small = _picture(x).resize((max(1, int(width * share)), max(1, int(height * share))), Image.Resampling.BOX)
    return _values(small.resize((width, height), Image.Resampling.BOX), x)


def jpeg_compression(x: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """Through a JPEG of quality c."""
    from PIL import Image

    file = io.BytesIO()
    _picture(x).save(file, "JPEG", quality=(25, 18, 15, 10, 7)[severity])
    return _values(Image.open(file), x)


def saturate(x: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """The saturation of HSV times a, plus b."""
    times, plus = ((0.3, 0), (0.1, 0), (2, 0), (5, 0.1), (20, 0.2))[severity]
    return in_hsv(x, lambda hue, saturation, value: (hue, np.clip(saturation * times + plus, 0, 1), value))


def in_hsv(x: np.ndarray, change: Callable) -> np.ndarray:
    """RGB [h, w, 3] with hue, saturation and value [h, w] changed; one channel is a value without saturation."""
    if x.shape[2] == 1:
        none = np.zeros(x.shape[:2])
        return change(none, none, x[..., 0])[2][..., None]
    from matplotlib.colors import hsv_to_rgb, rgb_to_hsv

    hue, saturation, value = np.moveaxis(rgb_to_hsv(np.clip(x, 0, 1)), -1, 0)
    return hsv_to_rgb(np.stack(change(hue, saturation, value), axis=-1))


def _picture(x: np.ndarray):
    from PIL import Image

    shown = np.rint(np.clip(x, 0, 1) * 255).astype(np.uint8)
    return Image.fromarray(shown[..., 0] if x.shape[2] == 1 else shown)


def _values(picture, like: np.ndarray) -> np.ndarray:
    return np.asarray(picture, np.float64).reshape(like.shape) / 255
