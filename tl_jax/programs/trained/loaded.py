"""What every model of a run has: which it is, the door its examples come through, and what its network says of them."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import jax
import numpy as np

from tl_jax.core.batching import batch_of, sent_by_length
from tl_jax.core.errors import UserError, require
from tl_jax.data.domain import Domain
from tl_jax.data.match.like import given
from tl_jax.data.standardise import Scale, scaled
from tl_jax.models.sequences.tokens import pieces
from tl_jax.programs.trained.answer import Said
from tl_jax.run.execute.execution import make_recipe
from tl_jax.run.plan.devices import place
from tl_jax.run.plan.setup import lengths
from tl_jax.run.plan.types import Task
from tl_jax.run.plan.words import brought
from tl_jax.training.predict import predicted
from tl_jax.training.state import State


class Outputs(NamedTuple):
    """Features [n, d] and logits [n, c] in float32 on the host; unknown [n] of a method with a rule for that."""

    features: np.ndarray
    logits: np.ndarray
    unknown: np.ndarray | None = None


@dataclass(frozen=True, eq=False, repr=False)
class Loaded(ABC):
    """A job's model of one seed, at one step. scales: {domain that it tells apart: the scale of its features}."""

    task: Task
    trial: int
    step: int
    state: State
    scales: Mapping[str, Scale | None]

    def __repr__(self) -> str:
        return f"<{self.described}, of {self.step} steps>"

    @property
    def described(self) -> str:
        """The job with its seed and swept values."""
        values = [f"{name} {value:g}" for name, value in self.values.items() if name in self.swept]
        return ", ".join([self.task.job.name, f"seed {self.seed}", *values])

    @property
    def swept(self) -> set[str]:
        """Names of what was swept."""
        return {name for name, _ in self.task.config.swept}

    @property
    def seed(self) -> int:
        """Of its trial."""
        return self.task.job.trials[self.trial][0]

    @property
    def values(self) -> dict[str, float]:
        """Of its trial: what a sweep can change."""
        return dict(self.task.job.trials[self.trial][1])

    @property
    def first(self) -> Domain:
        """The form in which it takes examples."""
        return self.task.problem.target

    @property
    def spec(self) -> str:
        """What the domain was called as which a path is read."""
        return self.task.config.target

    def examples(self, x: Any) -> np.ndarray:
        """x through the door, in the form of the training examples, not standardised yet. Raises UserError.

        A network with word pieces of its own takes texts, cut to the longest of training.
        """
        of = brought(self.task.config)
        if of and of.vocabulary and len(x) and all(isinstance(one, str) for one in x):
            x = pieces(of, list(x), self.first.train.x.shape[1])[0]
        return given(x, self.first).train.x

    @abstractmethod
    def said(self, found: Sequence[Domain], domain: str = "target") -> Said:
        """What the model says of the examples of train, in its form already; several domains are one set of examples
        with labels of several tasks. Raises UserError where it can be asked nothing of the kind."""

    @cached_property
    def _apply(self) -> Callable[..., Any]:
        recipe = make_recipe(self.task, "map", place(1, 1, self.task.config.batches, False))
        return jax.jit(lambda state, x, domain: predicted(recipe, state, x, domain), static_argnums=2)

    def outputs(self, x: np.ndarray, domain: str = "target") -> Outputs:
        """What the network says of x in the form of the training examples, not standardised yet."""
        x = self.standardised(x, domain)
        apply = lambda part: self._apply(self.state, part, domain)
        found = sent_by_length(apply, x, lengths(self.task), batch=batch_of(len(x)))
        unknown = None if found.unknown is None else np.asarray(found.unknown, np.float32)
        return Outputs(np.asarray(found.features, np.float32), np.asarray(found.logits, np.float32), unknown)

    def standardised(self, x: np.ndarray, domain: str = "target") -> np.ndarray:
        """x by the scale of a domain. Raises UserError for a domain that is none of it, and where there is no x."""
        require(f"domain of {self.task.job.name}", domain, self.scales)
        if not len(x):
            raise UserError("There is not one example to predict.")
        scale = self.scales[domain]
        return scaled(x, scale) if scale is not None else x
