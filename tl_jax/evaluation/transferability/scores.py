"""Scores of a pretrained model for a target task, by name, with what each one needs. HIGHER IS BETTER.

Ship none of them without `static`: on the common benchmark of eleven networks and eleven data sets, ranking by a
fixed prior beats LEEP, NCE and LogME on average. Compare models on the same examples only.
"""

from collections.abc import Callable, Mapping
from functools import partial
from types import MappingProxyType
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.errors import UserError, require
from tl_jax.core.types import Array
from tl_jax.evaluation.neighbours import knn_votes
from tl_jax.evaluation.transferability.features import gbc, h_score, logme, transrate


class Sample(NamedTuple):
    """One model's view of the target: labels y [n] int, features [n, d], source_probs [n, z] (rows sum to 1), prior.

    prior: the model's place in a ranking made without this target, as a number where higher is better
    (its accuracy on the source, its mean accuracy on other targets). What a score does not need may be None.
    """

    y: Array
    features: Array | None = None
    source_probs: Array | None = None
    prior: float | None = None


class Score(NamedTuple):
    """of(data, y, classes) -> scalar, or -> [n] whose mean is the score where `per_row`; data: a field of Sample."""

    of: Callable[[Array, Array, int], Array]
    data: str
    per_row: bool = False


@partial(jax.jit, static_argnames="classes")
def leep(source_probs: Array, y: Array, classes: int) -> Array:
    """Log expected empirical prediction.

    (1/n) sum_i log sum_z P(y_i | z) t_iz,   P(y, z) = (1/n) sum_{i: y_i = y} t_iz,   P(y | z) = P(y, z) / P(z)

    Args: source_probs t [n, z], the source model's softmax; y [n] int in [0, classes). Returns nats, <= 0.
    The mean of the LOGARITHM; a common copy returns the mean probability. Nguyen et al. 2020, arXiv 2002.12462.
    """
    given = _conditional(source_probs, y, classes)
    expected = (given[y] * source_probs).sum(1)
    return jnp.log(jnp.maximum(expected, jnp.finfo(source_probs.dtype).tiny)).mean()


@partial(jax.jit, static_argnames="classes")
def nce(source_probs: Array, y: Array, classes: int) -> Array:
    """Minus the entropy of the label given the source model's predicted class.

    sum_{z, y} P(z, y) log P(y | z),   z_i = argmax_z t_iz;   never positive

    Args: source_probs t [n, z], y [n] int in [0, classes). Returns nats in [-log classes, 0].
    Tran et al. 2019, arXiv 1908.08142.
    """
    hard = jax.nn.one_hot(source_probs.argmax(1), source_probs.shape[1], dtype=source_probs.dtype)
    given = _conditional(hard, y, classes)
    joint = jnp.matmul(jax.nn.one_hot(y, classes, dtype=hard.dtype).T, hard, precision="highest") / len(y)
    return jnp.where(joint > 0, joint * jnp.log(jnp.where(joint > 0, given, 1.0)), 0.0).sum()


@partial(jax.jit, static_argnames=("classes", "k"))
def knn(features: Array, y: Array, classes: int, *, k: int = 5) -> Array:
    """Leave-one-out hits of the weighted kNN classifier (cosine, k = 5, temperature .07): [n] of 0 and 1.

    Args: features [n, d], y [n] int in [0, classes), k < n (fewer rows: as many neighbours as there are).
    """
    votes = knn_votes(features, features, y, classes, k=min(k, len(y) - 1), leave_out_self=True)
    return (votes.argmax(1) == y).astype(features.dtype)


def static(prior: Array, y: Array, classes: int) -> Array:
    """The given prior, whatever the target: the baseline that a score has to beat."""
    del y, classes
    return jnp.asarray(prior, float)


SCORES: Mapping[str, Score] = MappingProxyType(
    {
        "logme": Score(logme, "features"),
        "h_score": Score(h_score, "features"),
        "gbc": Score(gbc, "features"),
        "transrate": Score(transrate, "features"),
        "knn": Score(knn, "features", per_row=True),
        "leep": Score(leep, "source_probs"),
        "nce": Score(nce, "source_probs"),
        "static": Score(static, "prior"),
    }
)


def score(name: str, sample: Sample) -> float:
    """One score of one model. Raises: UserError for an unknown name, missing or ill-fitting data."""
    rule, data, y, classes = prepared(name, sample)
    return float(jnp.mean(rule.of(data, y, classes)))


def scores(sample: Sample) -> dict[str, float]:
    """Every score for which the sample has the data: {name: value}."""
    return {name: score(name, sample) for name, rule in SCORES.items() if getattr(sample, rule.data) is not None}


def prepared(name: str, sample: Sample) -> tuple[Score, Array, Array, int]:
    """(score, its data, labels 0 ... classes - 1, classes), checked."""
    require("transferability score", name, SCORES)
    rule = SCORES[name]
    data = getattr(sample, rule.data)
    if data is None:
        raise UserError(f"The score '{name}' needs {rule.data}, and the sample has none.")
    # Labels are numbered anew: a label that does not occur would count as an empty class.
    names, y = np.unique(np.asarray(sample.y), return_inverse=True)
    if len(names) < 2:
        raise UserError(f"A transferability score needs at least 2 classes, the labels have {len(names)}.")
    data = jnp.asarray(data, float)
    if rule.data != "prior" and (data.ndim != 2 or len(data) != len(y)):
        raise UserError(f"{rule.data} must be [n, .] with n = {len(y)} labels: got {data.shape}.")
    return rule, data, jnp.asarray(y, jnp.int32), len(names)


def _conditional(probs: Array, y: Array, classes: int) -> Array:
    """P(y | z): [classes, z], 0 where z never occurs."""
    joint = jnp.matmul(jax.nn.one_hot(y, classes, dtype=probs.dtype).T, probs, precision="highest")
    whole = joint.sum(0, keepdims=True)
    return joint / jnp.where(whole > 0, whole, 1.0)
