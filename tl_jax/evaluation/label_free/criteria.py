"""Criteria that choose a step or a trial without target labels: Record -> score, HIGHER IS BETTER.

No criterion is right always, so know how each one fails:

- `source_val` does not look at the target: a target torn apart beside an intact source costs it nothing.
  It notices divergence, and features that an adversary destroyed; once it saturates it means "the last".
- `entropy` and `snd` reward certainty and dense neighbourhoods, and a model that puts the whole target
  into few classes has both. In published comparisons their choices fall to chance for some methods.
- `im` adds a reward for using all classes, which rules out that collapse. It still cannot tell right from
  confidently permuted classes, and it leans towards balanced predictions when the target is not balanced.

- `dev` is right where the source and the target overlap in the features, and rests on a handful of examples where
  they do not: a few large weights decide.

The safest default is `im`: it survives the collapse that the others reward or ignore. A method that itself
minimises entropy, or maximises `im`, optimises the ruler: look at `source_val` beside it, above all when
comparing methods.

Morerio et al. 2018, arXiv 1711.10288; Saito et al. 2021, arXiv 2108.10860; Musgrave et al. 2022,
arXiv 2208.07360 (a comparison over a million checkpoints).
"""

import functools
import math
from collections.abc import Callable, Mapping

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.evaluation import metrics
from tl_jax.evaluation.label_free.record import Record
from tl_jax.naming import own_code
from tl_jax.naming.calls import parse

Criterion = Callable[[Record], float]
_CELLS = 2**22  # of the m x m similarities, 32 MiB at a time
MOST_WEIGHT = 20.0


def source_val(record: Record) -> float:
    """Accuracy on the source's validation examples, a share in [0, 1]."""
    return metrics.accuracy(*_source(record)[:2])


def entropy(record: Record) -> float:
    """Minus the mean entropy of the target predictions.

    -(1/m) sum_i H(p_i),   in [-log c, 0] nats

    Morerio et al. 2018, arXiv 1711.10288.
    """
    return -_mean_entropy(metrics.log_softmax(record.target.logits))


def im(record: Record) -> float:
    """Information maximisation: even use of the classes, minus uncertainty of each prediction.

    H((1/m) sum_i p_i) - (1/m) sum_i H(p_i),   in [0, log c] nats

    Bridle et al. 1991 (NIPS 4); Hu et al. 2017, arXiv 1702.08720.
    """
    log_p = metrics.log_softmax(record.target.logits)
    mean = np.exp(log_p).mean(0)
    used = mean[mean > 0]
    return float(-(used * np.log(used)).sum()) - _mean_entropy(log_p)


def snd(record: Record, temperature: float = 0.05) -> float:
    """Soft neighbourhood density of the target predictions.

    S_ij = u_i . u_j / temperature for j != i,  u_i = p_i / ||p_i||;  (1/m) sum_i H(softmax_j S_ij)

    Args: record; temperature > 0. Returns nats in [0, log(m - 1)]: compare equal m only. A row is no neighbour of
    itself; in the authors' code it is one of similarity -1, which changes the fourth digit.
    Raises: ValueError for fewer than two target rows. Saito et al. 2021, arXiv 2108.10860.
    """
    p = np.exp(metrics.log_softmax(record.target.logits))
    if len(p) < 2:
        raise ValueError(f"a neighbourhood needs at least 2 target rows, the record has {len(p)}")
    u = p / np.linalg.norm(p, axis=1, keepdims=True)
    rows = max(1, _CELLS // len(u))
    total = 0.0
    for start in range(0, len(u), rows):
        similarity = u[start : start + rows] @ u.T / temperature
        own = np.arange(len(similarity))
        similarity[own, start + own] = -np.inf
        total += _entropies(metrics.log_softmax(similarity)).sum()
    return float(total / len(u))


def dev(record: Record) -> float:
    """Minus the risk on the target as the source tells it, weighted by how much an example looks like the target.

    w_i = (n_s / n_t) p(t | z_i) / p(s | z_i), clipped at 20 and divided by their mean;  l_i = [prediction_i != y_i]
    -(mean(w l) + eta mean(w) - eta),   eta = -cov(w l, w) / var(w)

    p: logistic regression of the domain on features standardised together, each source example by a fit without it
    (two halves). The control variate lowers the variance; what it takes below zero is no risk, and is refused.
    Raises: ValueError without source labels or features. You et al. 2019 (ICML).
    """
    logits, y, z_s = _source(record)
    if z_s is None or record.target.features is None:
        raise ValueError("deep embedded validation needs features, which this record has not")
    loss = np.asarray(metrics.predictions(logits) != np.asarray(y), np.float64)
    w = _density_ratio(np.asarray(z_s, np.float64), np.asarray(record.target.features, np.float64))
    weighted = w * loss
    variance = w.var()
    eta = -np.cov(weighted, w, bias=True)[0, 1] / variance if variance > 0 else 0.0
    risk = float(weighted.mean() + eta * w.mean() - eta)
    return -risk if risk >= 0 else math.nan


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


CRITERIA: Mapping[str, Criterion] = {"source_val": source_val, "entropy": entropy, "im": im, "snd": snd, "dev": dev}
NEED_FEATURES = ("dev",)
"""Those of them that need more than logits: features are stored where one is chosen, or one of the user's own."""
NEED_SOURCE = ("source_val", "dev")
"""Those that need labels of the source's validation split."""


def needs_features(select: str) -> bool:
    """Whether the criterion of that name may read features."""
    return own_code.is_own(select) or select.partition("(")[0] in NEED_FEATURES


def criterion(text: str) -> Criterion:
    """'im', 'snd(temperature=0.1)' or 'mine.py:f(x=1)' -> record -> score; arguments are all but the record.

    Raises UserError for what there is not; the criterion of a user's own, for what it raises, and where it gives no
    number.
    """
    call = parse(text, CRITERIA, "selection criterion", (float,), given=1)
    score = functools.partial(call.function, **call.arguments)
    if not own_code.is_own(text):
        return score

    def own(record: Record) -> float:
        with own_code.mistakes(call.text):
            found = score(record)
        if np.ndim(found) or not isinstance(found, int | float | np.number):
            raise UserError(f"{call.text} gives a {type(found).__name__} of a record; a number is needed.")
        return float(found)

    return own


def _source(record: Record) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Logits, labels and features of the source's validation split."""
    if record.source is None:
        raise ValueError("the record has no labelled validation examples of a source")
    return record.source


def _entropies(log_p: np.ndarray) -> np.ndarray:
    p = np.exp(log_p)
    return -(p * np.where(p > 0, log_p, 0.0)).sum(-1)  # 0 log 0 = 0


def _mean_entropy(log_p: np.ndarray) -> float:
    return float(_entropies(log_p).mean())
