"""A trained model of a run: what it predicts of examples as Python has them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np

from tl_jax.core.batching import sent_by_length
from tl_jax.core.errors import UserError, require
from tl_jax.data.like import given
from tl_jax.data.standardise import Scale, scaled
from tl_jax.evaluation.metrics import log_softmax, predictions
from tl_jax.evaluation.open_set import rejected
from tl_jax.kinds.predicting.table import is_open
from tl_jax.models.sequences.tokens import pieces
from tl_jax.programs.trained.export import Choice, write
from tl_jax.run.execute.execution import make_recipe
from tl_jax.run.plan.devices import place
from tl_jax.run.plan.setup import lengths
from tl_jax.run.plan.types import Task
from tl_jax.run.plan.words import brought
from tl_jax.training.predict import predicted
from tl_jax.training.state import State, model_of
from tl_jax.training.trials import EVALUATION_BATCH


class Outputs(NamedTuple):
    """Features [n, d] and logits [n, c] in float32 on the host; unknown [n] of a method with a rule for that."""

    features: np.ndarray
    logits: np.ndarray
    unknown: np.ndarray | None = None


@dataclass(frozen=True, eq=False, repr=False)
class TrainedModel:
    """A job's model of one seed: x as Python has it goes through the door and the scale of the training, then predicts.

    domain: whose statistics and scale are taken, where the model tells domains apart (see `domains`).
    """

    task: Task
    trial: int
    step: int
    state: State
    scales: Mapping[str, Scale | None]
    _apply: Any = field(init=False)

    def __post_init__(self) -> None:
        recipe = make_recipe(self.task, "map", place(1, 1, self.task.config.batches, False))
        run = jax.jit(lambda state, x, domain: predicted(recipe, state, x, domain), static_argnums=2)
        object.__setattr__(self, "_apply", run)

    def __repr__(self) -> str:
        return f"<{self.described}, of {self.step} steps>"

    @property
    def described(self) -> str:
        """The job with its seed and swept values."""
        swept = {name for name, _ in self.task.config.swept}
        values = [f"{name} {value:g}" for name, value in self.values.items() if name in swept]
        return ", ".join([self.task.job.name, f"seed {self.seed}", *values])

    @property
    def seed(self) -> int:
        """Of its trial."""
        return self.task.job.trials[self.trial][0]

    @property
    def values(self) -> dict[str, float]:
        """Of its trial: what a sweep can change."""
        return dict(self.task.job.trials[self.trial][1])

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
        if self.task.problem.values:
            center, scale = self.task.problem.units
            return center + scale * out[:, 0].astype(np.float64)
        return np.array([*self.classes, ""], np.str_)[predictions(out)]

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

    def examples(self, x: Any) -> np.ndarray:
        """x through the door, in the form of the training examples, not standardised yet. Raises UserError.

        A network with word pieces of its own takes texts, cut to the longest of training.
        """
        first = self.task.problem.target
        of = brought(self.task.config)
        if of and of.vocabulary and len(x) and all(isinstance(one, str) for one in x):
            x = pieces(of, list(x), first.train.x.shape[1])[0]
        return given(x, first).train.x

    def outputs(self, x: np.ndarray, domain: str = "target") -> Outputs:
        """What the model says of x in the form of the training examples, not standardised yet."""
        require(f"domain of {self.task.job.name}", domain, self.domains)
        scale = self.scales[domain]
        x = scaled(x, scale) if scale is not None else x
        if not len(x):
            raise UserError("There is not one example to predict.")
        batch = min(EVALUATION_BATCH, 1 << (len(x) - 1).bit_length())
        apply = lambda part: self._apply(self.state, part, domain)
        found = sent_by_length(apply, x, lengths(self.task), batch=batch)
        unknown = None if found.unknown is None else np.asarray(found.unknown, np.float32)
        return Outputs(np.asarray(found.features, np.float32), np.asarray(found.logits, np.float32), unknown)

    def _of_classes(self, what: str) -> None:
        if self.task.problem.values:
            raise UserError(f"{self.task.job.name} predicts values: predict(x) gives them; there are no {what}.")
