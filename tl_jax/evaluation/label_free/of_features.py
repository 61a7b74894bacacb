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


def knn(record: Record) -> float:
    """How little nearest neighbours tell the domains apart.

    -(1/2) sum_d (1/|d|) sum_{i in d} [the nearest other row is of d],   in [-1, 0]; about -1/2 where they lie alike

    Rows are the features of the source's validation split and as many of the target's, at equal distances.

    Raises: ValueError without features. Musgrave et al. 2022, arXiv 2208.07360.
    """
    from sklearn.neighbors import NearestNeighbors

    z_s, z_t = _features(record, of_source=True), _features(record)
    n = min(len(z_s), len(z_t))
    parts = [z[np.linspace(0, len(z) - 1, n).astype(int)] for z in (z_s, z_t)]
    z, domain = np.concatenate(parts), np.repeat([0, 1], n)
    if not np.isfinite(z).all() or n < 2:
        return math.nan
    nearest = NearestNeighbors(n_neighbors=1).fit(z).kneighbors(return_distance=False)[:, 0]
    return -float((domain[nearest] == domain).mean())


def circular(record: Record, k: int = 5) -> float:
    """Reverse validation: accuracy on the source of a classifier that knows the target's predictions alone.

    (1/n) sum_i [y_i = the most frequent argmax p_j of the k targets nearest to z_i],   features of length 1

    The classifier is of k neighbours among the features, where the papers train the method again with the domains
    exchanged. Raises: ValueError without features, or without a labelled source. Zhong et al. 2010 (ECML PKDD); Ganin
    et al. 2016, arXiv 1505.07818.
    """
    from sklearn.neighbors import KNeighborsClassifier

    z_s, z_t = _features(record, of_source=True), _features(record)
    if not (np.isfinite(z_s).all() and np.isfinite(z_t).all()):
        return math.nan
    unit = lambda z: z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
    said = metrics.predictions(record.target.logits)
    reverse = KNeighborsClassifier(min(k, len(z_t))).fit(unit(z_t), said)
    assert record.source is not None
    return float((reverse.predict(unit(z_s)) == np.asarray(record.source.y)).mean())


def _features(record: Record, of_source: bool = False) -> np.ndarray:
    if of_source and record.source is None:
        raise ValueError("the record has no labelled validation examples of a source")
    seen = record.source if of_source else record.target
    if seen is None or seen.features is None:
        raise ValueError("this criterion needs features, which the record has not")
    return np.asarray(seen.features, np.float64)
