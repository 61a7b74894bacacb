"""What predicted values score, on the host: arrays [n] in, Python floats out."""

import numpy as np


def r2(found: np.ndarray, wanted: np.ndarray) -> float:
    """Coefficient of determination, 1 at best, 0 for the mean of the labels.

    1 - sum_i (y_i - f_i)^2 / sum_i (y_i - mean y)^2

    Args: found, wanted [n]. Returns NaN where all labels are equal.
    """
    spread = float(np.square(wanted - np.mean(wanted)).sum())
    return 1 - float(np.square(wanted - found).sum()) / spread if spread else float("nan")


def explained_variance(found: np.ndarray, wanted: np.ndarray) -> float:
    """The same without what a constant would mend: 1 - var(y - f) / var(y); [n] each, NaN where labels are equal."""
    spread = float(np.var(wanted))
    return 1 - float(np.var(wanted - found)) / spread if spread else float("nan")


def scores(found: np.ndarray, wanted: np.ndarray) -> dict[str, float]:
    """{"r2", "rmse", "mae"} of what was found [n] and wanted [n]."""
    return {"r2": r2(found, wanted), "rmse": rmse(found, wanted), "mae": mae(found, wanted)}


def rmse(found: np.ndarray, wanted: np.ndarray) -> float:
    """Root of the mean squared error: sqrt((1/n) sum_i (y_i - f_i)^2), [n] each."""
    return float(np.sqrt(np.square(wanted - found).mean()))


def mae(found: np.ndarray, wanted: np.ndarray) -> float:
    """Mean absolute error: (1/n) sum_i |y_i - f_i|, [n] each."""
    return float(np.abs(wanted - found).mean())
