"""Choosing a checkpoint or a trial without target labels, from stored records.

A record maps "source_val/logits" [n, c], "source_val/y" [n] and "target/logits" [m, c] to arrays. It has
no target labels, so nothing here can peek. A criterion takes a record and returns a score; HIGHER IS BETTER.

No criterion is right always, so know how each one fails:

- `source_val` does not look at the target: a target torn apart beside an intact source costs it nothing.
  It notices divergence, and features that an adversary destroyed; once it saturates it means "the last".
- `entropy` and `snd` reward certainty and dense neighbourhoods, and a model that puts the whole target
  into few classes has both. In published comparisons their choices fall to chance for some methods.
- `im` adds a reward for using all classes, which rules out that collapse. It still cannot tell right from
  confidently permuted classes, and it leans towards balanced predictions when the target is not balanced.

The safest default is `im`: it survives the collapse that the others reward or ignore. A method that itself
minimises entropy, or maximises `im`, optimises the ruler: look at `source_val` beside it, above all when
comparing methods.

Morerio et al. 2018, arXiv 1711.10288; Saito et al. 2021, arXiv 2108.10860; Musgrave et al. 2022,
arXiv 2208.07360 (a comparison over a million checkpoints).
"""

import functools
import math
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

import numpy as np

from tl_jax.core import own_code
from tl_jax.core.calls import parse
from tl_jax.core.errors import UserError
from tl_jax.evaluation import metrics

Record = Mapping[str, np.ndarray]
Criterion = Callable[[Record], float]

_CELLS = 2**22  # of the m x m similarities, 32 MiB at a time


class Selection(NamedTuple):
    """What was chosen: its step, its score (None if all were refused), the refused with reasons, a note."""

    step: int
    score: float | None
    refused: dict[int, str]
    note: str


def source_val(record: Record) -> float:
    """Accuracy on the source's validation examples, a share in [0, 1]."""
    return metrics.accuracy(_field(record, "source_val/logits"), _field(record, "source_val/y"))


def entropy(record: Record) -> float:
    """Minus the mean entropy of the target predictions.

    -(1/m) sum_i H(p_i),   in [-log c, 0] nats

    Morerio et al. 2018, arXiv 1711.10288.
    """
    return -_mean_entropy(metrics.log_softmax(_field(record, "target/logits")))


def im(record: Record) -> float:
    """Information maximisation: even use of the classes, minus uncertainty of each prediction.

    H((1/m) sum_i p_i) - (1/m) sum_i H(p_i),   in [0, log c] nats

    Bridle et al. 1991 (NIPS 4); Hu et al. 2017, arXiv 1702.08720.
    """
    log_p = metrics.log_softmax(_field(record, "target/logits"))
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
    p = np.exp(metrics.log_softmax(_field(record, "target/logits")))
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


CRITERIA: dict[str, Criterion] = {"source_val": source_val, "entropy": entropy, "im": im, "snd": snd}


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


def refusal(record: Record, score: float) -> str | None:
    """Why a candidate must not be ranked, or None if it may be.

    Refused: a score that is not finite; target logits with NaN or infinity; all target predictions in
    one class (a collapsed model is certain of itself, and some criteria would rank it first), or one value.
    """
    if not math.isfinite(score):
        return f"its score is {score}"
    logits = _field(record, "target/logits")
    broken = int((~np.isfinite(logits)).any(1).sum())
    if broken:
        return f"{broken} of {len(logits)} target rows have logits that are not finite"
    if logits.shape[1] == 1:
        equal = len(logits) > 1 and np.ptp(logits) == 0
        return f"all {len(logits)} target predictions are {logits[0, 0]:g}" if equal else None
    found = np.unique(metrics.predictions(logits))
    if len(found) == 1:
        return f"all {len(logits)} target predictions are class {found[0]}"
    return None


def select(records: Iterable[tuple[int, Record]], criterion: Criterion) -> Selection:
    """The candidate with the highest score; of equal scores, the latest step.

    Args: records: (step, record) in any order, read once, so they may be loaded one by one;
    criterion: record -> score. If all are refused, the latest step with score None and a note.
    Raises: ValueError without records.
    """
    scores: dict[int, float] = {}
    refused: dict[int, str] = {}
    for step, record in records:
        score = criterion(record)
        reason = refusal(record, score)
        if reason is None:
            scores[step] = score
        else:
            refused[step] = reason
    if not scores and not refused:
        raise ValueError("there are no records to select from")
    if not scores:
        note = f"all {len(refused)} candidates were refused, this is the last one: {refused[max(refused)]}"
        return Selection(max(refused), None, refused, note)
    best = max(scores, key=lambda step: (scores[step], step))
    return Selection(best, scores[best], refused, "")


def _field(record: Record, name: str) -> np.ndarray:
    if name not in record:
        raise ValueError(f"the record has no {name!r}; it has {', '.join(sorted(record)) or 'nothing'}")
    return np.asarray(record[name])


def _entropies(log_p: np.ndarray) -> np.ndarray:
    p = np.exp(log_p)
    return -(p * np.where(p > 0, log_p, 0.0)).sum(-1)  # 0 log 0 = 0


def _mean_entropy(log_p: np.ndarray) -> float:
    return float(_entropies(log_p).mean())
