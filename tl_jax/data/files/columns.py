"""Columns of numbers: what 32 bits lose, and columns that only count the rows."""

from collections.abc import Sequence

import numpy as np

from tl_jax.core.errors import UserError

WHOLE = 2**24
"""The largest whole number up to which float32 tells every one from the next."""
LEAST = 20
"""Examples from which a rising column is no accident."""


def narrowed(name: str, x: np.ndarray, features: Sequence[str] = ()) -> tuple[np.ndarray, list[str]]:
    """x [n, ...] as float32, and a note of columns whose different numbers become equal in it.

    Raises UserError for numbers that float32 does not hold.
    """
    if x.dtype == np.float32:
        return x, []
    flat = x.reshape(len(x), -1) if x.ndim == 2 else x.reshape(-1, 1)
    large = np.zeros(flat.shape[1])
    if flat.size and not np.issubdtype(flat.dtype, np.bool_):
        with np.errstate(invalid="ignore"):
            ends = np.stack(
                [np.nanmin(flat, 0) if _any(flat) else flat[0], np.nanmax(flat, 0) if _any(flat) else flat[0]]
            )
        large = np.abs(ends.astype(np.float64)).max(0)
    over = np.isfinite(large) & (large > np.finfo(np.float32).max)
    if over.any():
        column = int(np.argmax(over))
        raise UserError(
            f"{name}: {_called(column, features)} holds {large[column]:.3g}, too large for 32 bits. Rescale it."
        )
    out, notes = x.astype(np.float32), []
    small = out.reshape(flat.shape)
    for column in np.flatnonzero(np.isfinite(large) & (large > WHOLE)).tolist():
        before, after = (len(np.unique(values[:, column])) for values in (flat, small))
        if after < before:
            notes.append(
                f"{_called(column, features)}: {before} different numbers up to {large[column]:.4g} become {after} in "
                "32 bits (7 digits): an identifier? Leave it out, or subtract an offset"
            )
    return out, _few(notes)


def _any(x: np.ndarray) -> bool:
    return x.dtype.kind in "iu" or not np.isnan(x).all(0).any()


def counters(x: np.ndarray, features: Sequence[str] = ()) -> list[str]:
    """Notes of columns of x [n, d] that number the rows: whole numbers without a gap, or rising row by row."""
    if len(x) < LEAST or x.ndim != 2:
        return []
    low, high = x.min(0), x.max(0)
    gapless = (high - low == len(x) - 1) & (np.floor(low) == low)
    notes = []
    for column in range(x.shape[1]):
        values = x[:, column]
        steps = np.diff(values)
        rising = steps[0] != 0 and bool((steps > 0).all() or (steps < 0).all())
        if rising or (gapless[column] and len(np.unique(values)) == len(x) and (values == np.floor(values)).all()):
            notes.append(
                f"{_called(column, features)} runs from {low[column]:.6g} to {high[column]:.6g}, no two rows alike"
                f"{' and rising row by row' if rising else ''}: if it numbers the rows, leave it out"
            )
    return _few(notes)


def _called(column: int, features: Sequence[str]) -> str:
    return f"column '{features[column]}'" if features else f"feature {column}"


def _few(notes: list[str], most: int = 5) -> list[str]:
    return notes if len(notes) <= most else [*notes[:most], f"{len(notes) - most} more columns alike"]
