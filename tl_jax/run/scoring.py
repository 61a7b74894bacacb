"""How predictions are judged: by labels that are classes, or values."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from tl_jax.evaluation import regression
from tl_jax.evaluation.metrics import accuracy, evaluate
from tl_jax.evaluation.open_set import open_set
from tl_jax.evaluation.selection import CRITERIA, Criterion
from tl_jax.run.problem import Problem

Metrics = dict[str, float]


class Scoring(NamedTuple):
    """shown: the metric of tables and curves, HIGHER IS BETTER. of(outputs [n, c], labels [n]) -> that metric.

    every(outputs, labels) -> all of the target's metrics by name; criteria: what may choose a step.
    """

    shown: str
    of: Callable[[np.ndarray, np.ndarray], float]
    every: Callable[[np.ndarray, np.ndarray], Metrics]
    criteria: Mapping[str, Criterion]


def scoring(problem: Problem) -> Scoring:
    """Accuracy and its kin of classes; R2, RMSE and MAE of values, in the labels' own units."""
    if not problem.values:
        return Scoring("accuracy", lambda logits, y: accuracy(*known(logits, y)), _classes, CRITERIA)
    center, scale = problem.units
    every = lambda outputs, y: regression.scores(center + scale * outputs[:, 0].astype(np.float64), y)
    r2 = lambda outputs, y: every(outputs, y)["r2"]
    on_source: Criterion = lambda record: r2(record["source_val/logits"], record["source_val/y"])
    return Scoring("r2", r2, every, {"source_val": on_source})


def _classes(logits: np.ndarray, labels: np.ndarray) -> Metrics:
    opened = open_set(logits, labels) if labels.max() == logits.shape[1] else {}
    return evaluate(*known(logits, labels)) | opened


def known(logits: np.ndarray, labels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Those examples whose class the network has: in an open label space the others are numbered as no output is."""
    inside = labels < logits.shape[1]
    return logits[inside], labels[inside]
