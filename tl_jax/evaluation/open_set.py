"""Scores where the target has classes that the source lacks: label K of K known classes is "unknown".

What a method has no rule of its own for is decided by the entropy of its prediction alone, without any label.
"""

import math

import numpy as np
from numpy.typing import ArrayLike

from tl_jax.evaluation.metrics import log_softmax, predictions


def rejected(logits: ArrayLike, unknown: ArrayLike | None = None) -> np.ndarray:
    """Which examples are called unknown: as the method says, else those of more than half the entropy of K classes.

    u_i > 0 with a method's own rule u;  H(softmax(z_i)) > log(K) / 2 without

    Args: logits [m, K]; unknown: u [m] or None. Returns bool [m]; a row with a NaN is rejected. Saito et al. 2020
    (DANCE), arXiv 2002.07953, the threshold around which its entropy separation works.
    """
    if unknown is not None:
        return ~(np.asarray(unknown) <= 0)
    log_p = log_softmax(logits)
    entropy = -(np.exp(log_p) * log_p).sum(-1)
    return ~(entropy <= 0.5 * math.log(log_p.shape[-1]))


def open_set(logits: ArrayLike, y: ArrayLike, unknown: ArrayLike | None = None) -> dict[str, float]:
    """Scores on known and unknown classes with rejection.

    os_star         (1/|K'|) sum_{k in K'} #{i: y_i = k, not rejected, prediction k} / #{i: y_i = k}
    unknown_recall  #{i: y_i = K, rejected} / #{i: y_i = K}
    hos             2 os_star unknown_recall / (os_star + unknown_recall), 0 where both are 0

    K' are the known classes present in y; what has no example is left out: with classes of the source that the target
    lacks hos is the H-score of Fu et al. 2020 (CMU). Args: logits [m, K], y [m] int in 0..K, unknown: see `rejected`.
    Returns shares in [0, 1]. Raises: ValueError if they do not fit. Bucci et al. 2020 (HOS), arXiv 2007.12360.
    """
    z, y = np.asarray(logits), np.asarray(y)
    if z.ndim != 2 or y.shape != z.shape[:1] or not len(y) or y.min() < 0 or y.max() > z.shape[1]:
        raise ValueError(f"need logits [m, K] and y [m] in 0..K with m >= 1: got {z.shape} and {y.shape}")
    strange, away = y == z.shape[1], rejected(z, unknown)
    scores = {}
    if not strange.all():
        kept = np.where(away, z.shape[1], predictions(z))[~strange]
        hits = [(kept[y[~strange] == k] == k).mean() for k in np.unique(y[~strange])]
        scores["os_star"] = float(np.mean(hits))
    if strange.any():
        scores["unknown_recall"] = float(away[strange].mean())
    if len(scores) == 2:
        both = sum(scores.values())
        scores["hos"] = 2 * scores["os_star"] * scores["unknown_recall"] / both if both else 0.0
    return scores
