"""Criteria of the target's features: whether predictions are their clusters, and whether they have collapsed."""

import math

import numpy as np

from tl_jax.evaluation import metrics
from tl_jax.evaluation.label_free.record import Record


def class_ami(record: Record) -> float:
    """Agreement of the target's predictions with the clusters of its features.

    AMI(argmax p, k-means(z, k = c)): mutual information adjusted for chance, 1 at most, about 0 by chance; features of
    length 1, k-means++ with fixed draws.

    Raises: ValueError without features. Musgrave et al. 2022, arXiv 2208.07360.
    """
    from sklearn.cluster import KMeans
    from sklearn.metrics import adjusted_mutual_info_score

    z, c = _features(record), record.target.logits.shape[1]
    if not np.isfinite(z).all():
        return math.nan
    z = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    clusters = KMeans(min(c, len(np.unique(z, axis=0))), random_state=0).fit_predict(z)
    return float(adjusted_mutual_info_score(metrics.predictions(record.target.logits), clusters))


def rankme(record: Record) -> float:
    """Effective rank of the target's features.

    exp(H(s / sum s)),   s the singular values of z [m, d], in [1, min(m, d)]

    Raises: ValueError without features. Garrido et al. 2023, arXiv 2210.02885.
    """
    z = _features(record)
    if not np.isfinite(z).all():
        return math.nan
    s = np.linalg.svd(z, compute_uv=False)
    share = s[s > 0] / max(s.sum(), 1e-300)
    return float(np.exp(-(share * np.log(share)).sum()))


def _features(record: Record) -> np.ndarray:
    if record.target.features is None:
        raise ValueError("this criterion needs features, which the record has not")
    return np.asarray(record.target.features, np.float64)
