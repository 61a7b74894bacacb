"""Choosing a checkpoint or a trial by a criterion (evaluation/label_free/criteria.py), from stored records."""

import math
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from tl_jax.evaluation import metrics
from tl_jax.evaluation.label_free.criteria import Criterion
from tl_jax.evaluation.label_free.record import Record


class Selection(NamedTuple):
    """What was chosen: its step, its score (None if all were refused), the refused with reasons, a note."""

    step: int
    score: float | None
    refused: dict[int, str]
    note: str


def refusal(record: Record, score: float) -> str | None:
    """Why a candidate must not be ranked, or None if it may be.

    Refused: a score that is not finite; target logits with NaN or infinity; all target predictions in
    one class (a collapsed model is certain of itself, and some criteria would rank it first), or one value.
    """
    if not math.isfinite(score):
        return f"its score is {score}"
    logits = record.target.logits
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
