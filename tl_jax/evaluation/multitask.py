"""How a multi-task model compares with single-task baselines, by both definitions of Delta_m in use.

They have opposite signs and weigh differently: published tables of one cannot be compared with tables of the other.
"""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tl_jax.core.errors import UserError


class Score(NamedTuple):
    """One metric of one task, beside the single-task model's of the same budget; higher: whether more is better."""

    task: str
    metric: str
    value: float
    baseline: float
    higher: bool


def gain(score: Score) -> float:
    """Relative gain over the baseline in percent, positive if better.

    100 s (value - baseline) / |baseline|,   s = +1 if higher is better, else -1

    Raises: UserError if the baseline is zero.
    """
    if score.baseline == 0:
        raise UserError(f"{score.task}/{score.metric}: the baseline is 0, a relative gain is not defined.")
    sign = 1 if score.higher else -1
    return 100 * sign * (score.value - score.baseline) / abs(score.baseline)


def delta_metrics(scores: Sequence[Score]) -> float:
    """Delta_m as in Nash-MTL, CAGrad, FAMO: mean over METRICS of the relative loss in percent. LOWER is better.

    -(1/M) sum_m gain_m:   a task with many metrics counts as often. Navon et al. 2022, arXiv 2202.01017.
    """
    return -float(np.mean([gain(score) for score in _some(scores)]))


def delta_tasks(scores: Sequence[Score]) -> float:
    """Delta_p as in LibMTL: mean over TASKS of the mean over a task's metrics, in percent. HIGHER is better.

    (1/K) sum_k (1/M_k) sum_m gain_km. Maninis et al. 2019, arXiv 1904.08918; Lin & Zhang 2022, arXiv 2203.14338.
    """
    return float(np.mean(list(task_gains(scores).values())))


def task_gains(scores: Sequence[Score]) -> dict[str, float]:
    """Mean gain over each task's metrics in percent, positive if better: {task: gain}, in order of appearance."""
    tasks = dict.fromkeys(score.task for score in _some(scores))
    return {task: float(np.mean([gain(s) for s in scores if s.task == task])) for task in tasks}


def losing_tasks(scores: Sequence[Score]) -> list[str]:
    """Tasks whose mean gain is negative: better trained alone."""
    return [task for task, value in task_gains(scores).items() if value < 0]


def _some(scores: Sequence[Score]) -> Sequence[Score]:
    if not scores:
        raise UserError("There are no scores to compare with a baseline.")
    return scores
