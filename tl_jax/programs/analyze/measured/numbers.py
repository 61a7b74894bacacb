"""Numbers of predictions and of features, on the host: NumPy arrays in, values out."""

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.batching import some
from tl_jax.evaluation.metrics import ece, log_softmax, predictions
from tl_jax.evaluation.probes import a_distance
from tl_jax.programs.analyze.measured.found import Reliability, Shift, Space

BINS = 10
MOST = 500
"""Examples of a domain that norms, ranks and distances are of, drawn once."""


def counts(y: np.ndarray, said: np.ndarray, classes: int) -> np.ndarray:
    """Confusion [k, k]: rows true, columns predicted; what is predicted of nothing (-1) is in no column."""
    rows = said >= 0
    return np.bincount(y[rows] * classes + said[rows], minlength=classes * classes).reshape(classes, classes)


def shares(said: np.ndarray, classes: int) -> np.ndarray:
    """Share of each class among class numbers [n]; others (-1, unknown ones) are left out. Zeros of nothing."""
    inside = said[(said >= 0) & (said < classes)]
    return np.bincount(inside, minlength=classes) / max(len(inside), 1)


def used(share: np.ndarray) -> float:
    """How many classes are in use: exp(H(share)), from 1 (all in one) to c (each as often). share [c]."""
    p = share[share > 0]
    return float(np.exp(-(p * np.log(p)).sum())) if len(p) else 0.0


def apart(a: np.ndarray, b: np.ndarray) -> float:
    """Total variation of two distributions [c]: half the sum of |a - b|, in [0, 1]: what share would have to move."""
    return float(np.abs(a - b).sum() / 2)


def reliability(logits: np.ndarray, y: np.ndarray) -> Reliability | None:
    """Bins of equal width over all trials together; logits [t, n, c], y [n] in 0..c-1. None of no example."""
    if not len(y):
        return None
    sure = np.exp(log_softmax(logits).max(-1)).ravel()
    right = np.concatenate([predictions(one) == y for one in logits]).astype(float)
    which = np.clip(np.ceil(sure * BINS).astype(int) - 1, 0, BINS - 1)
    count = np.bincount(which, minlength=BINS)
    mean = lambda x: np.bincount(which, weights=x, minlength=BINS) / np.maximum(count, 1)
    each = float(np.mean([ece(one, y) for one in logits]))
    return Reliability(count, mean(sure), mean(right), each, float(sure.mean() - right.mean()))


def shift(source: tuple[np.ndarray, np.ndarray], target: np.ndarray, y: np.ndarray | None) -> Shift | None:
    """How often each class is there: in the source, in the target by estimate and by its labels.

    min over w >= 0 of ||C w - q||,   C_jk = share of source examples of class k predicted as j, q_j that of the target
    predicted as j;   estimate_k = w_k p_k, made to sum to one, p the source's shares   (black-box shift estimation)

    Args: source: logits [t, n, c] and labels [n] of held-out examples; target: logits [t, m, c]; y [m] or None. Right
    where only the classes' shares differ between the domains. None without a source label. Lipton et al. 2018,
    arXiv 1802.03916.
    """
    from scipy.optimize import nnls

    logits, labels = source
    classes = target.shape[-1]
    if not len(labels) or labels.max() >= classes:
        return None
    prior = shares(labels, classes)
    found = []
    for z_s, z_t in zip(logits, target, strict=True):
        joint = counts(labels, predictions(z_s), classes).T / len(labels)
        w = nnls(joint, shares(predictions(z_t), classes))[0] * prior
        found.append(w / w.sum() if w.sum() else np.full(classes, np.nan))
    estimate = np.mean(found, 0)
    true = None if y is None or not len(y) else shares(y, classes)
    return Shift(prior, estimate if np.isfinite(estimate).all() else None, true)


def space(target: np.ndarray, source: np.ndarray | None, far: bool = True) -> Space | None:
    """Norms, effective ranks and distance of features [n, d] of one trial; None where they are not finite.

    rank: exp(H(s / sum s)) of the singular values s of the centred features. far: whether the distance is wanted, too
    (`probes.a_distance`).
    """
    of = lambda x: np.asarray(x[np.sort(some(len(x), MOST))], np.float32).reshape(min(len(x), MOST), -1)
    z_t, z_s = of(target), None if source is None or not len(source) else of(source)
    if not np.isfinite(z_t).all() or (z_s is not None and not np.isfinite(z_s).all()):
        return None
    if z_s is None:
        return Space(_norm(z_t), _rank(z_t))
    enough = far and min(len(z_s), len(z_t)) >= 4
    distance = a_distance(jnp.asarray(z_s), jnp.asarray(z_t), jax.random.key(0)) if enough else None
    return Space(_norm(z_t), _rank(z_t), _norm(z_s), _rank(z_s), distance)


def _norm(z: np.ndarray) -> float:
    return float(np.linalg.norm(z, axis=1).mean())


def _rank(z: np.ndarray) -> float:
    s = np.linalg.svd(z - z.mean(0), compute_uv=False).astype(np.float64)
    return used(s / s.sum()) if s.sum() > 0 else 0.0
