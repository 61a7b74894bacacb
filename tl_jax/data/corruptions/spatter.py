"""Spatter: drops of water or clods of mud on the lens. What the published code has of OpenCV is written out here."""

import numpy as np

from tl_jax.data.corruptions.blur import scale_of
from tl_jax.data.corruptions.weather import GREY

Draws = np.random.Generator
WATER, MUD = (175, 238, 238), (63, 42, 20)
STEPS = {(0, 1): 1.0, (1, 1): 1.4, (1, 2): 2.1969}
"""How long a step to a neighbour is, by how far that is along either axis: the mask of 5 by 5."""
TANGENT = 13573
"""The tangent of 22.5 degrees, in 32768ths."""


def spatter(x: np.ndarray, severity: int, draws: Draws) -> np.ndarray:
    """Where smoothed noise is above a level, water (x + w m colour, lit along its edges) or mud (x (1 - m) + m colour).

    The layer m is that of an image whose shorter side is 224, all its lengths as published, brought to this one's size.
    """
    mean, spread, sigma, level, c = (
        (0.65, 0.3, 4, 0.69, 0.6),
        (0.65, 0.3, 3, 0.68, 0.6),
        (0.65, 0.3, 2, 0.68, 0.5),
        (0.65, 0.3, 1, 0.65, 1.5),
        (0.67, 0.4, 1, 0.65, 1.5),
    )[severity]
    from scipy.ndimage import gaussian_filter

    size = [round(side / scale_of(x)) for side in x.shape[:2]]
    liquid = gaussian_filter(draws.normal(mean, spread, size=size), sigma, mode="nearest")
    liquid[liquid < level] = 0
    if severity < 3:
        return x + c * _sized(lit(liquid), x)[..., None] * _colour(WATER, x)
    thick = gaussian_filter((liquid > level).astype(np.float64), c, mode="nearest")
    covered = _sized(np.where(thick < 0.8, 0, thick), x)[..., None]
    return x * (1 - covered) + covered * _colour(MUD, x)


def lit(liquid: np.ndarray) -> np.ndarray:
    """The water [h, w] of a layer in [0, 1], at most 1: the layer times a relief of the distance to its edges."""
    from scipy.ndimage import correlate, uniform_filter

    drops = (liquid * 255).astype(np.uint8)
    near = distance(edges(drops, 50, 150), 20)
    # A mean that is a whole number is cut to that number, not to the one below.
    near = equalised(uniform_filter(near, 3, mode="mirror").astype(np.float32).astype(np.uint8))
    relief = np.array([[-2, -1, 0], [-1, 1, 1], [0, 1, 2]])
    near = np.clip(correlate(near.astype(np.int64), relief, mode="mirror"), 0, 255)
    water = drops * np.rint(uniform_filter(near.astype(np.float64), 3, mode="mirror"))
    return water / max(water.max(), 1)


def edges(image: np.ndarray, low: int, high: int) -> np.ndarray:
    """Edges [h, w] bool of a uint8 image: Canny 1986 with Sobel's slopes, as OpenCV has it.

    A pixel is one if its slope (|dx| + |dy|) is above `low` and the greatest of three along its direction, in one of
    four, and others join it, side by side or by corners, to one above `high`.
    """
    from scipy.ndimage import correlate1d, label

    values = image.astype(np.int64)
    along = lambda by, other: correlate1d(
        correlate1d(values, [-1, 0, 1], by, mode="nearest"), [1, 2, 1], other, mode="nearest"
    )
    dx, dy = along(1, 0), along(0, 1)
    slope = np.abs(dx) + np.abs(dy)
    around = np.pad(slope, 1)
    shifted = lambda i, j: around[1 + i : 1 + i + len(slope), 1 + j : 1 + j + slope.shape[1]]
    across, up = np.abs(dx) * TANGENT, np.abs(dy) << 15
    level, steep = up < across, up > across + (np.abs(dx) << 16)
    falls = dx * dy < 0
    greatest = lambda i, j: (slope > shifted(-i, -j), slope > shifted(i, j))
    # Of two equal ones in a row the first counts, but on a slant neither does.
    on_level = (slope > shifted(0, -1)) & (slope >= shifted(0, 1))
    on_steep = (slope > shifted(-1, 0)) & (slope >= shifted(1, 0))
    slanted = np.where(falls, np.logical_and(*greatest(1, -1)), np.logical_and(*greatest(1, 1)))
    thin = (slope > low) & np.where(level, on_level, np.where(steep, on_steep, slanted))
    parts: np.ndarray = label(thin, np.ones((3, 3)))[0]  # pyright: ignore
    strong = np.zeros(parts.max() + 1, bool)
    strong[parts[thin & (slope > high)]] = True
    return thin & strong[parts]


def distance(marked: np.ndarray, most: float) -> np.ndarray:
    """How far each pixel [h, w] is from a marked one, by the steps of a 5 by 5 mask (Borgefors 1986), or `most`."""
    from scipy.ndimage import distance_transform_edt

    if not marked.any():
        return np.full(marked.shape, float(most))
    # From the nearest in a straight line, which may not be the nearest by steps: its neighbours know better.
    nearest: np.ndarray = distance_transform_edt(~marked, return_distances=False, return_indices=True)  # pyright: ignore
    far, close = np.sort(np.abs(nearest - np.indices(marked.shape)), axis=0)[::-1]
    straight, slant, knight = STEPS.values()
    found = np.where(
        far >= 2 * close,
        close * knight + (far - 2 * close) * straight,
        (2 * close - far) * slant + (far - close) * knight,
    )
    found, before = np.minimum(found, most), None
    while before is None or (found < before - 1e-6).any():
        before, around = found, np.pad(found, 2, constant_values=np.inf)
        for i in range(-2, 3):
            for j in range(-2, 3):
                weight = STEPS.get((min(abs(i), abs(j)), max(abs(i), abs(j))))
                if weight is not None:
                    there = around[2 + i : 2 + i + len(found), 2 + j : 2 + j + found.shape[1]]
                    found = np.minimum(found, there + weight)
    return found


def equalised(image: np.ndarray) -> np.ndarray:
    """A uint8 image whose values are spread so that each is as frequent as any, the least at 0."""
    counts = np.bincount(image.ravel(), minlength=256)
    least = counts.nonzero()[0][0]
    rest = image.size - counts[least]
    if not rest:
        return image
    after = np.where(np.arange(256) > least, counts, 0).cumsum()
    return np.rint(after * np.float32(255 / rest)).astype(np.uint8)[image]


def _sized(layer: np.ndarray, x: np.ndarray) -> np.ndarray:
    """A layer [H, W] at the size of x: means over boxes where that is smaller, else between its pixels."""
    from PIL import Image

    height, width = x.shape[:2]
    how = Image.Resampling.BOX if height <= len(layer) else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(layer.astype(np.float32)).resize((width, height), how), np.float64)


def _colour(rgb: tuple[int, int, int], x: np.ndarray) -> np.ndarray:
    """A colour in [0, 1] in the channels of x, of one its brightness."""
    found = np.array(rgb) / 255
    return found if x.shape[2] == 3 else np.array([found @ GREY])
