"""Criteria that choose a step or a trial without target labels: Record -> score, HIGHER IS BETTER.

No criterion is right always, so know how each one fails:

- `source_val` does not look at the target: a target torn apart beside an intact source costs it nothing.
  It notices divergence, and features that an adversary destroyed; once it saturates it means "the last".
- `entropy` and `snd` reward certainty and dense neighbourhoods, and a model that puts the whole target
  into few classes has both. In published comparisons their choices fall to chance for some methods.
- `im` adds a reward for using all classes, which rules out that collapse. It still cannot tell right from
  confidently permuted classes, and it leans towards balanced predictions when the target is not balanced.

- `dev` and `iwcv` are right where the source and the target overlap in the features, and rest on a handful of examples
  where they do not: a few large weights decide.
- `bnm` and `mano` are of certainty as `entropy` is, with a reward for classes that differ; `class_ami` asks whether the
  predictions are the clusters of the features, which a method that clusters makes so; `rankme` says whether features
  have collapsed and nothing of the classes.
- `mixval` asks whether the classes lie apart in the inputs, which a method that trains on mixtures makes so. A network
  that is nearly linear keeps the class of the greater part whatever it has learnt: beginnings of a training rank high.
  The paper compares trained models, over hyperparameters.
- `knn` says whether the domains' features lie alike, which a collapse does as well; `circular` whether the target's
  predictions explain the source, which classes that are swapped in both do.

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
from tl_jax.evaluation.label_free.mixtures import mixval
from tl_jax.evaluation.label_free.of_features import circular, class_ami, knn, rankme
from tl_jax.evaluation.label_free.record import Record
from tl_jax.evaluation.label_free.weighted import dev, iwcv
from tl_jax.naming import own_code
from tl_jax.naming.calls import parse

Criterion = Callable[[Record], float]
_CELLS = 2**22  # of the m x m similarities, 32 MiB at a time


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


def bnm(record: Record) -> float:
    """Nuclear norm of the target's predictions: certain, and of many classes.

    (1/m) ||P||_*,   P [m, c] the probabilities, in [1 / sqrt(m c), sqrt(min(m, c) / m)]: compare equal m only

    Cui et al. 2020, arXiv 2003.12237.
    """
    p = np.exp(metrics.log_softmax(record.target.logits))
    return float(np.linalg.svd(p, compute_uv=False).sum() / len(p)) if np.isfinite(p).all() else math.nan


def mano(record: Record, p: float = 4.0, calibrated: float = 5.0) -> float:
    """Matrix norm of normalised logits: how far the target's logits lie from the boundaries of the classes.

    ((1 / (m c)) sum_ik s_ik^p)^(1/p),   s = softmax(g) where -(1 / (m c)) sum_ik log softmax(g)_ik > calibrated, else
    (1 + g + g^2 / 2) divided by its sum over the classes, which over-certain logits distort less

    Args: record; p >= 1; calibrated in nats. Xie et al. 2024, arXiv 2405.18979.
    """
    logits = np.asarray(record.target.logits, np.float64)
    if not np.isfinite(logits).all():
        return math.nan
    log_p = metrics.log_softmax(logits)
    taylor = 1 + logits + logits**2 / 2
    s = np.exp(log_p) if -log_p.mean() > calibrated else taylor / taylor.sum(1, keepdims=True)
    return float((s**p).mean() ** (1 / p))


CRITERIA: Mapping[str, Criterion] = {
    "source_val": source_val,
    "entropy": entropy,
    "im": im,
    "snd": snd,
    "bnm": bnm,
    "mano": mano,
    "dev": dev,
    "iwcv": iwcv,
    "class_ami": class_ami,
    "rankme": rankme,
    "knn": knn,
    "circular": circular,
    "mixval": mixval,
}
NEED_FEATURES = ("dev", "iwcv", "class_ami", "rankme", "knn", "circular")
"""Those of them that need more than logits: features are stored where one is chosen, or one of the user's own."""
NEED_SOURCE = ("source_val", "dev", "iwcv", "knn", "circular")
"""Those that need the source's validation split."""
NEED_MIXTURES = ("mixval",)
"""Those that need predictions of mixed inputs, which are made where one is chosen."""


def needs_features(select: str) -> bool:
    """Whether the criterion of that name may read features."""
    return own_code.is_own(select) or select.partition("(")[0] in NEED_FEATURES


def needs_mixtures(select: str) -> bool:
    """Whether the criterion of that name reads what is said of mixed inputs."""
    return select.partition("(")[0] in NEED_MIXTURES


def allows(record: Record, name: str) -> bool:
    """Whether a record has what the criterion of that name reads."""
    lacks = (
        *(NEED_SOURCE if record.source is None else ()),
        *(NEED_FEATURES if record.target.features is None else ()),
        *(NEED_MIXTURES if record.target.intra is None else ()),
    )
    return name not in lacks


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
