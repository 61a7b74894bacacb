"""What a model says to one question of n examples: a class or a value each, and how right it is where that is known."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain, known
from tl_jax.evaluation.metrics import log_softmax, predictions

Metrics = Mapping[str, float]
NOTHING: Mapping[str, np.ndarray] = MappingProxyType({})


class Answer(NamedTuple):
    """task: whose question it is, "" of a model that has one. classes: () of values.

    outputs: logits [n, classes], or values [n] in the labels' unit; unknown: which are called so, bool [n], in an open
    label space. y, labels: what is known, as the model numbers it and as it came; metrics: of the rows that are scored.
    """

    task: str
    classes: tuple[str, ...]
    outputs: np.ndarray
    unknown: np.ndarray | None
    y: np.ndarray
    labels: np.ndarray
    metrics: Metrics = MappingProxyType({})

    @property
    def labelled(self) -> bool:
        """Whether any label is known."""
        return bool(known(self.y).any())

    @property
    def scored(self) -> np.ndarray:
        """Rows whose label can be right: known, and of a class that there is."""
        if not self.classes:
            return known(self.y) & np.isfinite(self.y)
        return known(self.y) & ((self.y < len(self.classes)) | (self.unknown is not None))

    @property
    def said(self) -> np.ndarray:
        """The class of every example by name, None of a prediction that is not a number; or its value: [n]."""
        if not self.classes:
            return self.outputs
        return np.array([*self.classes, None], object)[predictions(self.outputs)]

    def columns(self, every: bool = False) -> dict[str, np.ndarray]:
        """{column of a table: [n]}: label where some are known, class, probability, entropy (nats), unknown; or value.

        every: the probability of each class besides, under p(CLASS). Names begin with the task's, where it has one.
        """
        cells = {"label": self.labels} if self.labelled else {}
        cells |= self._of_classes(every) if self.classes else {"value": self.said}
        return {f"{self.task}/{name}" if self.task else name: column for name, column in cells.items()}

    def _of_classes(self, every: bool) -> dict[str, np.ndarray]:
        log_p = log_softmax(self.outputs)
        p = np.exp(log_p)
        cells = {"class": self.said, "probability": p.max(-1), "entropy": -(p * log_p).sum(-1)}
        cells |= {} if self.unknown is None else {"unknown": self.unknown}
        return cells | ({f"p({name})": p[:, i] for i, name in enumerate(self.classes)} if every else {})


def as_they_came(domain: Domain) -> np.ndarray:
    """The labels of train: names of classes, "" where they are unknown, or values."""
    return np.array([*domain.classes, ""], object)[domain.train.y] if domain.classes else domain.train.y


def scored(answer: Answer, metrics: Callable[[np.ndarray], Metrics]) -> Answer:
    """The answer with metrics(rows) of the rows that are scored, if there are any."""
    rows = answer.scored
    return answer._replace(metrics=metrics(rows)) if rows.any() else answer


class Said(NamedTuple):
    """What a model says of examples: an answer a question, what goes into its head (None: several differ), columns
    beside the answers, notes in words."""

    answers: Sequence[Answer]
    features: np.ndarray | None
    beside: Mapping[str, np.ndarray] = NOTHING
    notes: Sequence[str] = ()


def only_one(found: Sequence[Domain]) -> Sequence[Domain]:
    """Raises UserError for several sets of labels, which are of several tasks."""
    if len(found) > 1:
        raise UserError(f"The model has one task: name one spec or path, not {len(found)}.")
    return found
