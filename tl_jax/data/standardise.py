"""Features of vectors and series brought to one scale, fitted on training examples without their labels."""

from typing import NamedTuple

import numpy as np

from tl_jax.core.batching import some
from tl_jax.data.domain import Domain, Examples, changed

MODALITIES = ("vector", "series")
FURTHEST = 10.0
"""Deviations from the mean beyond which a value counts as so far away: a single one cannot rule a step."""
HEAVY = 20.0
"""Deviations over the spread of the middle half from which a feature is scaled by that half."""
ROWS = 5000
"""Rows, drawn evenly, that tell the middle half of a feature."""
NORMAL = 1.349
"""The spread of the middle half of a normal distribution, in deviations."""


class Scale(NamedTuple):
    """x -> clip((x - center) / spread, -10, 10); both [d] float32, of a vector's features or a series' channels.

    Padding, the steps of zeros at the end of a series, stays zero.
    """

    center: np.ndarray
    spread: np.ndarray


def fitted(parts: list[np.ndarray]) -> Scale:
    """Mean and deviation of each feature over the rows of several x [n, d] or series [n, t, c], padding left out.

    A constant feature keeps its spread of 1. Where single values make the deviation (it is over 20 times that of the
    middle half), median and middle half are taken. Where more than half of a feature is zero (counts) zero stays zero:
    the spread alone is divided by.
    """
    rows = np.concatenate([_rows(part) for part in parts])
    center = rows.mean(0, dtype=np.float64)
    blocks = np.array_split(rows, -(-len(rows) // ROWS))  # in float64, never whole
    spread = np.sqrt(sum(np.square(block - center).sum(0) for block in blocks) / len(rows))
    drawn = rows[some(len(rows), ROWS)]
    low, middle, high = np.percentile(drawn, (25, 50, 75), axis=0)
    half = (high - low) / NORMAL
    heavy = (half > 0) & (spread > HEAVY * half)
    center, spread = np.where(heavy, middle, center), np.where(heavy, half, spread)
    center = np.where((drawn == 0).mean(0) > 0.5, 0.0, center)
    tiny = spread <= 1e-7 * np.abs(center)  # rounding of a constant
    return Scale(center.astype(np.float32), np.where(tiny, 1.0, spread).astype(np.float32))


def _rows(x: np.ndarray) -> np.ndarray:
    """x [n, d], or the steps of series [n, t, c] that are not padding, as rows."""
    return x if x.ndim == 2 else x[_valid(x)]


def _valid(x: np.ndarray) -> np.ndarray:
    """Which steps of series [n, t, c] come before the padding: bool [n, t]."""
    used = (x != 0).any(2)
    return np.flip(np.maximum.accumulate(np.flip(used, 1), axis=1), 1)


def scaled(x: np.ndarray, scale: Scale) -> np.ndarray:
    """x [n, d] or [n, t, c] in float32, standardised."""
    with np.errstate(over="ignore"):  # what overflows is clipped
        found = np.clip((x - scale.center) / scale.spread, -FURTHEST, FURTHEST)
    if x.ndim == 3:
        found = np.where(_valid(x)[:, :, None], found, 0)
    return found.astype(np.float32)


def standardised(domain: Domain, scale: Scale) -> Domain:
    """The domain with every split standardised."""
    parts = {name: Examples(scaled(part.x, scale), part.y) for name, part in domain.splits.items()}
    return changed(domain, **parts)
