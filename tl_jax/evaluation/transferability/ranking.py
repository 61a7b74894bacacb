"""How far to trust a ranking of models: intervals, agreement among scores, chance, and what a wrong choice costs."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.errors import UserError, require
from tl_jax.core.types import Array
from tl_jax.evaluation.transferability.scores import Sample, prepared

KINDS = ("kendall", "weighted")


class Interval(NamedTuple):
    """A score and its interval."""

    value: float
    low: float
    high: float


class Agreement(NamedTuple):
    """Rank correlations between scores: names [s], tau [s, s], NaN where a score does not distinguish the models."""

    names: tuple[str, ...]
    tau: np.ndarray


def halves(key: Array, y: np.ndarray) -> Array:
    """Row numbers of half of the examples of each class (the larger half), drawn without replacement: y [n] -> [m]."""
    y = np.asarray(y)
    counts = np.unique(y, return_counts=True)[1]
    spans = zip(np.cumsum(counts) - counts, counts, strict=True)
    first = np.concatenate([start + np.arange((n + 1) // 2) for start, n in spans])
    shuffled = jnp.lexsort((jax.random.uniform(key, y.shape), y))
    return shuffled[first]


def interval(
    name: str, sample: Sample, key: Array, *, resamples: int = 200, level: float = 0.95, together: int = 4
) -> Interval:
    """Interval of a score over half-samples of the target's examples, drawn within classes.

    s -+ z sd,   sd the standard deviation over half-samples, z the normal quantile

    A half-sample without replacement varies as much as a bootstrap sample does, and repeats no row: scores that
    invert a covariance with n < d, or look up neighbours, are far off on repeated rows. A score that is a mean over
    rows is computed once. `together` half-samples run at once (memory: together x features / 2).
    Politis, Romano & Wolf 1999, Subsampling, ch. 2. Raises: UserError as `score` does.
    """
    from scipy.stats import norm

    rule, data, y, classes = prepared(name, sample)
    each = rule.of(data, y, classes)
    value = float(jnp.mean(each))
    if each.ndim == 0 and rule.data == "prior":
        return Interval(value, value, value)
    labels = np.asarray(y)

    def one(key: Array) -> Array:
        rows = halves(key, labels)
        return each[rows].mean() if rule.per_row else rule.of(data[rows], y[rows], classes)

    draws = np.asarray(
        jax.jit(lambda keys: jax.lax.map(one, keys, batch_size=together))(jax.random.split(key, resamples))
    )
    margin = float(norm.ppf((1 + level) / 2) * draws.std(ddof=1))
    return Interval(value, value - margin, value + margin)


def agreement(table: Mapping[str, Sequence[float]], kind: str = "weighted") -> Agreement:
    """Kendall's tau, plain or weighted towards the best models, between all pairs of scores over the same models.

    Args: table: {score: [m] values, one a model, higher is better}; it may hold the truth as one more row.
    kind: "kendall" (tau-b) or "weighted" (hyperbolic, mean over both rankings). Vigna 2015 (WWW).
    Raises: UserError for an unknown kind, fewer than two models, or rows of different lengths.
    """
    require("rank correlation", kind, KINDS)
    rows = {name: np.asarray(values, float) for name, values in table.items()}
    if len({len(row) for row in rows.values()}) != 1 or len(next(iter(rows.values()))) < 2:
        lengths = {name: len(row) for name, row in rows.items()}
        raise UserError(f"Agreement needs the same 2 or more models in every row: {lengths}.")
    tau = [[_tau(a, b, kind) for b in rows.values()] for a in rows.values()]
    return Agreement(tuple(rows), np.array(tau))


def chance(models: int, key: Array, *, kind: str = "weighted", draws: int = 1000) -> tuple[float, float]:
    """(standard deviation, 95th percentile) of tau between unrelated rankings: what has to be beaten.

    With 11 models the weighted tau of pure chance has a standard deviation of .28 and reaches .47 in one of twenty.
    """
    require("rank correlation", kind, KINDS)
    rng = np.random.default_rng(np.asarray(jax.random.key_data(key)))
    found = [_tau(rng.permutation(models), rng.permutation(models), kind) for _ in range(draws)]
    return float(np.std(found)), float(np.quantile(found, 0.95))


def regret(values: Sequence[float], truth: Sequence[float]) -> float:
    """Accuracy lost by training the model that the score puts first.

    max_m truth_m - truth[argmax_m values_m], averaged over models tied for first

    Args: values [m], truth [m] (accuracy after transfer). Returns a value >= 0 in the unit of truth.
    Raises: UserError if they do not fit or a value is not finite.
    """
    v, t = np.asarray(values, float), np.asarray(truth, float)
    if v.shape != t.shape or v.ndim != 1 or not len(v):
        raise UserError(f"Regret needs one value and one accuracy a model: got {v.shape} and {t.shape}.")
    if not (np.isfinite(v).all() and np.isfinite(t).all()):
        raise UserError("Regret is not defined: a value or an accuracy is not finite.")
    return float(t.max() - t[v == v.max()].mean())


def _tau(a: np.ndarray, b: np.ndarray, correlation: str) -> float:
    from scipy.stats import kendalltau, weightedtau

    if np.ptp(a) == 0 or np.ptp(b) == 0:
        return float("nan")
    found: Any = (kendalltau if correlation == "kendall" else weightedtau)(a, b)
    return float(found.statistic)
