"""Criteria that weigh the source's validation examples by how much they look like the target."""

import math

import numpy as np

from tl_jax.evaluation import metrics
from tl_jax.evaluation.label_free.record import Record

MOST_WEIGHT = 20.0


def dev(record: Record) -> float:
    """Minus the risk on the target as the source tells it, weighted by how much an example looks like the target.

    w_i = (n_s / n_t) p(t | z_i) / p(s | z_i), clipped at 20 and divided by their mean;  l_i = [prediction_i != y_i]
    -(mean(w l) + eta mean(w) - eta),   eta = -cov(w l, w) / var(w)

    p: logistic regression of the domain on features standardised together, each source example by a fit without it
    (two halves). The control variate lowers the variance; what it takes below zero is no risk, and is refused.
    Raises: ValueError without source labels or features. You et al. 2019 (ICML).
    """
    w, loss = _weighted(record)
    weighted = w * loss
    variance = w.var()
    eta = -np.cov(weighted, w, bias=True)[0, 1] / variance if variance > 0 else 0.0
    risk = float(weighted.mean() + eta * w.mean() - eta)
    return -risk if risk >= 0 else math.nan


def iwcv(record: Record) -> float:
    """Minus the risk on the target as the source tells it, by the same weights and without a control variate.

    -mean(w l) with w and l of `dev`. Raises: ValueError without source labels or features.
    Sugiyama et al. 2007 (JMLR 8:985).
    """
    w, loss = _weighted(record)
    return -float((w * loss).mean())


def _weighted(record: Record) -> tuple[np.ndarray, np.ndarray]:
    """Weights and losses [n] of the source's validation examples."""
    source = record.source
    if source is None or source.features is None or record.target.features is None:
        raise ValueError("importance weights need a source's labels and features, which this record has not")
    loss = np.asarray(metrics.predictions(source.logits) != np.asarray(source.y), np.float64)
    z_s, z_t = (np.asarray(z, np.float64) for z in (source.features, record.target.features))
    return _density_ratio(z_s, z_t), loss


def _density_ratio(z_s: np.ndarray, z_t: np.ndarray) -> np.ndarray:
    """Weights [n] of source examples, of mean 1: each half by a classifier of the domains fitted on the other."""
    from sklearn.linear_model import LogisticRegression

    both = np.concatenate([z_s, z_t])
    center, spread = both.mean(0), both.std(0)
    z_s, z_t = ((z - center) / np.where(spread > 0, spread, 1.0) for z in (z_s, z_t))
    w = np.ones(len(z_s))
    for half in (0, 1):
        fit_s, fit_t = z_s[1 - half :: 2], z_t[1 - half :: 2]
        x, domain = np.concatenate([fit_s, fit_t]), np.repeat([0, 1], [len(fit_s), len(fit_t)])
        if len(fit_s) and len(fit_t):
            p = LogisticRegression(C=0.1, max_iter=200).fit(x, domain).predict_log_proba(z_s[half::2])
            w[half::2] = np.minimum(np.exp(p[:, 1] - p[:, 0]) * len(fit_s) / len(fit_t), MOST_WEIGHT)
    return w / w.mean()
