"""Which targets a method would give a label at an evaluation, by its own rule or at a fixed confidence, and how many of
these labels are right."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tl_jax.data.domain import known
from tl_jax.evaluation.metrics import log_softmax
from tl_jax.kinds.predicting.records import Evaluated
from tl_jax.naming.sums import names
from tl_jax.programs.analyze.measured.found import Pseudo

SURE = 0.95
"""The confidence at which labels are counted where a method has no rule of its own."""
LOGGED = ("mask_rate", "chosen")
"""What methods log of the share of a batch that they gave a label."""
Chosen = tuple[np.ndarray, np.ndarray]
"""Labels [n] and which of them [n] count."""


class At(NamedTuple):
    """What a rule reads beside the target's predictions: those of the source [m, c], values by the method's own names,
    the share of the training that is over."""

    source: np.ndarray
    values: Mapping[str, float]
    progress: float


Rule = Callable[[np.ndarray, At], Chosen]


def fixed(p: np.ndarray, at: At) -> Chosen:
    """max p_i >= threshold, of p [n, c]."""
    return p.argmax(1), p.max(1) >= at.values["threshold"]


def relative(p: np.ndarray, at: At) -> Chosen:
    """Of `adamatch`: classes as frequent as in the source, threshold relative to the source's mean confidence."""
    q = p * (at.source.mean(0) + 1e-6) / (p.mean(0) + 1e-6)
    q = q / q.sum(1, keepdims=True)
    return q.argmax(1), q.max(1) >= at.values["threshold"] * at.source.max(1).mean()


def by_class(p: np.ndarray, at: At) -> Chosen:
    """Of `flexmatch`: a lower threshold for classes that few are known of."""
    label, sure = p.argmax(1), p.max(1) > at.values["threshold"]
    b = np.bincount(label[sure], minlength=p.shape[1])
    b = b / max(1, b.max(), (~sure).sum())
    return label, p.max(1) >= at.values["threshold"] * (b / (2 - b))[label]


def by_mean(p: np.ndarray, at: At) -> Chosen:
    """Of `freematch`: the mean confidence, by class times the class's mean probability over the greatest one."""
    mean = p.mean(0)
    return p.argmax(1), p.max(1) >= (p.max(1).mean() * mean / mean.max())[p.argmax(1)]


def surest(p: np.ndarray, at: At) -> Chosen:
    """Of `cbst`: of every label the same share of its surest, at least one."""
    share = at.values["first"] + (at.values["last"] - at.values["first"]) * at.progress
    label, taken = p.argmax(1), np.zeros(len(p), bool)
    for k in np.unique(label):
        rows = np.flatnonzero(label == k)
        best = rows[np.argsort(-p[rows, k], kind="stable")]
        taken[best[: max(1, int(np.float32(share) * len(rows)))]] = True
    return label, taken


AT_THRESHOLD = ("fixmatch", "pseudo_label", "mean_teacher", "noisy_student", "cdac", "cst")
RULES: Mapping[str, tuple[Rule, str]] = {
    **dict.fromkeys(AT_THRESHOLD, (fixed, "p >= {threshold:g}")),
    "adamatch": (relative, "p >= {threshold:g} of the source's mean confidence"),
    "flexmatch": (by_class, "p >= {threshold:g}, less for classes that few are known of"),
    "freematch": (by_mean, "p >= its mean, less for rarer classes"),
    "cbst": (surest, "the surest of every class, from {first:.0%} to {last:.0%} of it"),
}
"""How methods choose, and in words with their values."""


class How(NamedTuple):
    """A rule with its values and in words; own: whether it is the method's."""

    rule: Rule
    values: Mapping[str, float]
    said: str
    own: bool


def rule_of(job: str, values: Mapping[str, float]) -> How:
    """The rule of a job, or of the first of a sum that has one; at the page's confidence where none has."""
    for name in names(job):
        if name not in RULES:
            continue
        rule, said = RULES[name]
        # In a sum two that share a name have the method's before it.
        mine = {**values, **{k.removeprefix(f"{name}_"): v for k, v in values.items() if k.startswith(f"{name}_")}}
        return How(rule, mine, said.format(**mine), True)
    return How(fixed, {"threshold": SURE}, f"p >= {SURE:g}, set by this page", False)


def given(how: How, one: Evaluated, y: np.ndarray, progress: float) -> tuple[float, float | None]:
    """The share of the target's test examples that get a label, and of these the share that is right, by y [n].

    One of an unknown class of an open label space is never right; None where y of none of these is known.
    """
    p = np.exp(log_softmax(one.test.logits))
    sources = [np.exp(log_softmax(source.logits)) for source in one.sources]
    label, taken = how.rule(p, At(np.concatenate(sources) if sources else p, how.values, progress))
    both = taken & known(y)
    return float(taken.mean()), float((label[both] == y[both]).mean()) if both.any() else None


def pseudo(how: How, found: Mapping[int, Sequence[tuple[float, float | None]]]) -> Pseudo:
    """Of what `given` says of every trial at every step."""
    coverage = {step: tuple(share for share, _ in each) for step, each in found.items()}
    precision = {step: tuple(right for _, right in each if right is not None) for step, each in found.items()}
    return Pseudo(how.said, how.own, coverage, {step: right for step, right in precision.items() if right})
