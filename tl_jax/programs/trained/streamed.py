"""A model at test time: what it predicts of a stream, from which it learns batch by batch."""

import math
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain, known
from tl_jax.data.match.like import labels_like
from tl_jax.evaluation.metrics import log_softmax, predictions
from tl_jax.kinds.predicting.scoring import scoring
from tl_jax.kinds.test_time.jobs import Streaming
from tl_jax.kinds.test_time.observe import streams
from tl_jax.kinds.test_time.streams import stream
from tl_jax.programs.trained.answer import Answer, Said, as_they_came, only_one, scored
from tl_jax.programs.trained.loaded import Loaded


class StreamModel(Loaded):
    """A job's source model of one seed, and the method that goes through a stream: x in the order in which it arrives
    goes through the door and the scale of the training, and is predicted a batch at a time before it is learnt from.

    Every call begins with the source model, of which `step` is. The last batch may be smaller.
    """

    @property
    def classes(self) -> tuple[str, ...]:
        """What it tells apart."""
        return self.task.problem.target.classes

    @property
    def batch(self) -> int:
        """Examples of a batch, as in the run's --stream."""
        return stream(self.task.config.stream).batch

    def predict(self, x: Any) -> np.ndarray:
        """The class of every example by name [n], as it was said when it came."""
        return np.array([*self.classes, ""], np.str_)[predictions(self.logits(self.examples(x)))]

    def probabilities(self, x: Any) -> np.ndarray:
        """float64 [n, classes]: the softmax, as it was when an example came."""
        return np.exp(log_softmax(self.logits(self.examples(x))))

    def said(self, found: Sequence[Domain], domain: str = "target") -> Said:
        """As `Loaded.said`: examples in their order, and beside each which batch it came in."""
        if domain != "target":
            raise UserError(f"--domain={domain}: a stream is of the target. Leave it out.")
        (one,) = only_one(found)
        logits = self.logits(one.train.x)
        y, note = labels_like(one, self.first)

        def metrics(rows: np.ndarray) -> dict[str, float]:
            every = scoring(self.task.problem).every(logits[rows], y[rows])
            return {"error": 1 - every["accuracy"], **every}

        answer = scored(Answer("", self.classes, logits, None, y, as_they_came(one)), metrics)
        notes = [f"as they come, {self.batch} a batch, each predicted before it is learnt from", *filter(None, [note])]
        notes += [SORTED] * in_blocks(y)
        return Said([answer], None, {"batch": np.arange(len(y)) // self.batch}, notes)

    def logits(self, x: np.ndarray) -> np.ndarray:
        """float32 [n, classes] of x in the form of the training examples, not standardised yet, in their order."""
        x = self.standardised(x)
        assert isinstance(self.task.job, Streaming)
        programs = streams(self.task, self.task.job, self.batch, math.ceil(len(x) / self.batch))
        start = jax.tree.map(lambda leaf: leaf[self.trial], self.task.starts())
        begun = jax.jit(programs.begin)(start._replace(model=(self.state.params, self.state.stats)))
        _, logits = jax.jit(programs.go)(begun, jnp.arange(len(x)), jnp.asarray(x))
        return np.asarray(logits, np.float32)


SORTED = "the examples come class by class, which is another stream than classes in random order"


def in_blocks(y: np.ndarray) -> bool:
    """Whether labels [n] stand class by class."""
    changes, classes = int((np.diff(y) != 0).sum()), len(np.unique(y))
    return bool(known(y).all()) and 1 < classes == changes + 1
