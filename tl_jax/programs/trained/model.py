"""A trained model of a run: what it predicts of examples as Python has them."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain
from tl_jax.data.match.like import labels_like
from tl_jax.evaluation.metrics import log_softmax, predictions
from tl_jax.evaluation.open_set import rejected
from tl_jax.kinds.predicting.scoring import scoring
from tl_jax.kinds.predicting.table import is_open
from tl_jax.programs.trained.answer import Answer, Said, as_they_came, only_one, scored
from tl_jax.programs.trained.export import Choice, write
from tl_jax.programs.trained.loaded import Loaded
from tl_jax.training.state import model_of


class TrainedModel(Loaded):
    """A job's model of one seed: x as Python has it goes through the door and the scale of the training, then predicts.

    domain: whose statistics and scale are taken, where the model tells domains apart (see `domains`).
    """

    @property
    def classes(self) -> tuple[str, ...]:
        """What it tells apart; () where it predicts values."""
        return self.task.problem.target.classes

    @property
    def domains(self) -> tuple[str, ...]:
        """As which examples may be taken: "target", and the sources where it has statistics or a scale for each."""
        return tuple(self.scales)

    def predict(self, x: Any, domain: str = "target") -> np.ndarray:
        """The class of every example by name [n] (of an open label space: of those known), or values [n] in the
        labels' unit."""
        out = self.outputs(self.examples(x), domain).logits
        return (
            self._values(out) if self.task.problem.values else np.array([*self.classes, ""], np.str_)[predictions(out)]
        )

    def probabilities(self, x: Any, domain: str = "target") -> np.ndarray:
        """float64 [n, classes]: the softmax. Raises UserError for values."""
        self._of_classes("probabilities")
        return np.exp(log_softmax(self.outputs(self.examples(x), domain).logits))

    def rejected(self, x: Any, domain: str = "target") -> np.ndarray:
        """Which examples an open label space calls unknown: bool [n]. Raises UserError for a closed one."""
        self._of_classes("rejected")
        if not is_open(self.task.config):
            raise UserError(f"{self.task.job.name} was trained with --label_space={self.task.config.label_space}.")
        found = self.outputs(self.examples(x), domain)
        return rejected(found.logits, found.unknown)

    def features(self, x: Any, domain: str = "target") -> np.ndarray:
        """What goes into the head: float32 [n, d]."""
        return self.outputs(self.examples(x), domain).features

    def export(self, out: str | Path, naming: str = "plain") -> list[Path]:
        """Write weights.safetensors, model.json and model.stablehlo, as `launch.export` does; their paths."""
        choice = Choice(self.task.job.name, self.trial, naming)
        return write(Path(out), self.task, (choice, self.step), model_of(self.state))

    def said(self, found: Sequence[Domain], domain: str = "target") -> Said:
        """As `Loaded.said`; where some labels are of classes that the model lacks, that is noted."""
        (one,) = only_one(found)
        out = self.outputs(one.train.x, domain)
        problem, opened = self.task.problem, is_open(self.task.config) and not self.task.problem.values
        y, note = labels_like(one, self.first)
        unknown = rejected(out.logits, out.unknown) if opened else None
        outputs = self._values(out.logits) if problem.values else out.logits
        own = lambda rows: None if out.unknown is None else out.unknown[rows]
        metrics = lambda rows: scoring(problem).every(out.logits[rows], y[rows], own(rows))
        answer = scored(Answer("", self.classes, outputs, unknown, y, as_they_came(one)), metrics)
        return Said([answer], out.features, notes=[note] if note else [])

    def _values(self, out: np.ndarray) -> np.ndarray:
        center, scale = self.task.problem.units
        return center + scale * out[:, 0].astype(np.float64)

    def _of_classes(self, what: str) -> None:
        if self.task.problem.values:
            raise UserError(f"{self.task.job.name} predicts values: predict(x) gives them; there are no {what}.")
