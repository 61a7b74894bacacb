"""How predictions are judged: by those labels that are known, which are classes, or values."""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy as np

from tl_jax.data.domain import known
from tl_jax.evaluation import regression
from tl_jax.evaluation.label_free.criteria import CRITERIA, Criterion, allows, criterion
from tl_jax.evaluation.label_free.record import Labelled, Record, Seen
from tl_jax.evaluation.metrics import accuracy, evaluate
from tl_jax.evaluation.open_set import open_set
from tl_jax.naming.own_code import is_own
from tl_jax.run.plan.problem import Problem

Metrics = dict[str, float]


class Scoring(NamedTuple):
    """shown: the metric of tables and curves, HIGHER IS BETTER. of(outputs [n, c], labels [n]) -> that metric, or None.

    every(outputs, labels, unknown=None) -> all of the target's metrics by name, those that the known labels allow, and
    "n", how many they are, where they are not all; criteria: what may choose a step.
    """

    shown: str
    of: Callable[[np.ndarray, np.ndarray], float | None]
    every: Callable[..., Metrics]
    criteria: Mapping[str, Criterion]


def scoring(problem: Problem, select: str = "") -> Scoring:
    """Accuracy and its kin of classes; R2, RMSE and MAE of values, in the labels' own units.

    select: a criterion of the user's own, or one with arguments, beside the others.
    """
    own = {select: criterion(select)} if is_own(select) or "(" in select else {}
    if not problem.values:
        metrics = lambda logits, y, unknown=None: _of_known(_classes, y, logits, unknown)
        return Scoring("accuracy", _accuracy, metrics, {**CRITERIA, **own})
    center, scale = problem.units
    scores = lambda y, outputs: _values(center + scale * outputs[:, 0].astype(np.float64), y)
    every = lambda outputs, y, unknown=None: _of_known(scores, y, outputs)
    r2 = lambda outputs, y: every(outputs, y).get("r2")
    on_source: Criterion = lambda record: every(*_labelled(record))["r2"]
    return Scoring("r2", r2, every, {"source_val": on_source, **(own if is_own(select) else {})})


def tried(problem: Problem, select: str) -> None:
    """Raises UserError where a criterion of the user's own cannot score a record such as this run will make."""
    if not is_own(select):
        return
    draw, y = np.random.default_rng(0), problem.source_labels()
    y = y[known(y)]
    logits = lambda n: draw.normal(size=(n, 1 if problem.values else len(problem.target.classes))).astype(np.float32)
    features = lambda n: draw.normal(size=(n, 4)).astype(np.float32)
    source = Labelled(logits(len(y)), y, features(len(y))) if len(y) else None
    m = min(100, len(problem.target.train.x))
    criterion(select)(Record(Seen(logits(m), features(m)), source))


def _labelled(record: Record) -> tuple[np.ndarray, np.ndarray]:
    assert record.source is not None
    return record.source.logits, record.source.y


def label_free_scores(by: Scoring, record: Record) -> dict[str, float | None]:
    """Every criterion that a record allows: {"label_free/im": ...}, the curves where no target label is known."""
    able = {name: of for name, of in by.criteria.items() if allows(record, name)}
    return {f"label_free/{name}": of(record) for name, of in able.items()}


def _of_known(scores: Callable[..., Metrics], labels: np.ndarray, *outputs: np.ndarray | None) -> Metrics:
    """Scores of the examples whose label is known; none of none."""
    rows = known(labels)
    if not rows.any():
        return {}
    of_known = (x if x is None else x[rows] for x in outputs)
    return scores(labels[rows], *of_known) | ({} if rows.all() else {"n": int(rows.sum())})


def _values(found: np.ndarray, wanted: np.ndarray) -> Metrics:
    scores = regression.scores(found, wanted)
    return scores if np.ptp(wanted) else {name: x for name, x in scores.items() if name != "r2"}  # which has no value


def _classes(labels: np.ndarray, logits: np.ndarray, unknown: np.ndarray | None) -> Metrics:
    opened = open_set(logits, labels, unknown) if labels.max() == logits.shape[1] else {}
    inside = _inside(logits, labels)
    return (evaluate(logits[inside], labels[inside]) if inside.any() else {}) | opened


def _accuracy(logits: np.ndarray, labels: np.ndarray) -> float | None:
    inside = _inside(logits, labels) & known(labels)
    return accuracy(logits[inside], labels[inside]) if inside.any() else None


def _inside(logits: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Which examples have a class of the network: in an open label space the others are numbered as no output is."""
    return labels < logits.shape[1]
