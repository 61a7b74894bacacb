"""What a classifier scores on labelled examples, on the host: NumPy arrays in, Python floats out.

A row with a NaN logit predicts nothing and counts as wrong; argmax alone would call it some class.
"""

import numpy as np
from numpy.typing import ArrayLike


def log_softmax(logits: ArrayLike) -> np.ndarray:
    """Log-probabilities in double precision: log p_ik = z_ik - log sum_j exp(z_ij), logits [m, c]."""
    z = np.asarray(logits, np.float64)
    with np.errstate(invalid="ignore"):  # a diverged model has inf - inf: NaN, as it should be
        z = z - z.max(-1, keepdims=True)
        return z - np.log(np.exp(z).sum(-1, keepdims=True))


def predictions(logits: ArrayLike) -> np.ndarray:
    """Predicted class of each row, the first of equals; -1 where a logit is NaN. logits [m, c] -> [m]."""
    z = np.asarray(logits)
    return np.where(np.isnan(z).any(-1), -1, z.argmax(-1))


def accuracy(logits: ArrayLike, y: ArrayLike) -> float:
    """Share of examples whose largest logit is at the label.

    (1/m) sum_i [argmax_k z_ik = y_i]

    Args: logits [m, c], y [m] int. Returns a share in [0, 1]. Raises: ValueError if they do not fit.
    """
    z, y = _check(logits, y)
    return float((predictions(z) == y).mean())


def class_accuracy(logits: ArrayLike, y: ArrayLike) -> float:
    """Accuracy within each class, averaged over the classes present in y.

    (1/|K|) sum_{k in K} #{i: y_i = k, prediction k} / #{i: y_i = k},   K = classes in y

    Args: logits [m, c], y [m] int. Returns a share in [0, 1]. Raises: ValueError if they do not fit.
    """
    z, y = _check(logits, y)
    hit = predictions(z) == y
    return float(np.mean([hit[y == k].mean() for k in np.unique(y)]))


def macro_f1(logits: ArrayLike, y: ArrayLike) -> float:
    """F1 of each class, averaged over the classes present in y or predicted.

    F1_k = 2 TP_k / (2 TP_k + FP_k + FN_k)

    Args: logits [m, c], y [m] int. Returns a share in [0, 1]. Raises: ValueError if they do not fit.
    """
    z, y = _check(logits, y)
    predicted = predictions(z)
    classes = np.union1d(y, predicted[predicted >= 0])
    f1 = [2 * ((y == k) & (predicted == k)).sum() / ((y == k).sum() + (predicted == k).sum()) for k in classes]
    return float(np.mean(f1))


def nll(logits: ArrayLike, y: ArrayLike) -> float:
    """Mean negative log-likelihood.

    -(1/m) sum_i log softmax(z_i)[y_i]

    Args: logits [m, c], y [m] int. Returns nats, >= 0. Raises: ValueError if they do not fit.
    """
    z, y = _check(logits, y)
    # Adding 0 turns -0.0 into 0.0, which would read badly in a table.
    return float(-np.take_along_axis(log_softmax(z), y[:, None], 1).mean() + 0.0)


def ece(logits: ArrayLike, y: ArrayLike, bins: int = 15) -> float:
    """Expected calibration error over bins of equal width.

    sum_b (m_b / m) |accuracy_b - mean confidence_b|,   bin b = (b / bins, (b + 1) / bins]

    Args: logits [m, c], y [m] int, bins >= 1. Returns a value in [0, 1], NaN if a logit is NaN.
    Raises: ValueError if they do not fit. Guo et al. 2017, arXiv 1706.04599.
    """
    z, y = _check(logits, y)
    confidence = np.exp(log_softmax(z).max(-1))
    if np.isnan(confidence).any():
        return float("nan")
    which = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    # m_b |accuracy_b - confidence_b| is the size of the summed difference: empty bins add nothing.
    gap = np.bincount(which, weights=(predictions(z) == y) - confidence, minlength=bins)
    return float(np.abs(gap).sum() / len(y))


def evaluate(logits: ArrayLike, y: ArrayLike) -> dict[str, float]:
    """Every metric of this file: logits [m, c], y [m] int -> {name: value}. Raises as they do."""
    metrics = (accuracy, class_accuracy, macro_f1, nll, ece)
    return {metric.__name__: metric(logits, y) for metric in metrics}


def _check(logits: ArrayLike, y: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    z, labels = np.asarray(logits), np.asarray(y)
    if z.ndim != 2 or labels.shape != z.shape[:1] or not len(labels):
        raise ValueError(f"need logits [m, c] and y [m] with m >= 1: got {z.shape} and {labels.shape}")
    if labels.min() < 0 or labels.max() >= z.shape[1]:
        raise ValueError(f"labels run from {labels.min()} to {labels.max()}, the logits have {z.shape[1]} classes")
    return z, labels.astype(np.int64)
