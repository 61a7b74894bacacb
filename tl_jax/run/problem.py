"""The data of a run: what training may see, and what only evaluation may see."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.core.tasks import TaskHead
from tl_jax.data.domain import Domain
from tl_jax.data.labels import balanced
from tl_jax.methods.base import Method
from tl_jax.training.state import Data

UNLABELLED_IN_RECORDS = 1000
"""How many of the target's training examples the label-free criteria see."""


class Problem(NamedTuple):
    """Matched source domains and a target domain with one shape of examples.

    They share one list of classes, too, unless there is no source: a job sees those domains whose classes its
    network's head has (see `of_source`, `of_target`).
    With tasks the sources are their inputs, y [n, K] float32 with NaN for a missing label; the target is the first.
    """

    sources: tuple[Domain, ...]
    target: Domain
    tasks: tuple[TaskHead, ...] = ()

    def of_input(self, i: int) -> "Problem":
        """What single-task training sees: one input and its tasks."""
        tasks, end = [], 0
        for task in (task for task in self.tasks if task.input == i):
            begin, end = end, end + task.width
            tasks.append(task._replace(input=0, begin=begin, end=end))
        return Problem((self.sources[i],), self.sources[i], tuple(tasks))

    @property
    def domains(self) -> tuple[Domain, ...]:
        """Each of them once."""
        return self.sources if self.tasks else (*self.sources, self.target)

    def of_source(self) -> "Problem":
        """What pretraining sees: the sources, the first of which is also what it is tested on."""
        return Problem(self.sources, self.sources[0])

    def of_target(self) -> "Problem":
        """What fine-tuning sees: the target; the sources as well if they have its classes."""
        return self if self.sources and self.sources[0].classes == self.target.classes else Problem((), self.target)

    def training(self, method: Method, partly: bool = False, even: bool = False) -> Data:
        """The arrays a method trains on; target labels for the supervised bound, or where it is labelled in part.

        even: classes are drawn equally often. Examples of classes that the network lacks are never drawn with labels.
        """
        labelled = self.sources if method.labels in ("source", "both") else ()
        if method.labels in ("target", "both") or partly:
            labelled = (*labelled, self.target)
        number = np.float32 if self.tasks else np.int32
        pairs: Any = tuple((domain.train.x, domain.train.y.astype(number)) for domain in labelled)
        target: Any = self.target.train.x  # still on the host: placing it is the devices' affair
        lists: Any = () if self.tasks else tuple(_listed(domain, even) for domain in labelled)
        return Data(pairs, target, lists=lists if any(rows is not None for rows in lists) else ())

    def unlabelled(self, domains: str) -> Data:
        """The arrays of self-supervised pretraining on "source", "target" or "both": there is no label among them."""
        sources: Any = tuple(domain.train.x for domain in self.sources)
        target: Any = self.target.train.x
        first, *others = {"source": sources, "target": (target,), "both": (target, *sources)}[domains]
        return Data((), first, tuple(others))

    def evaluation(self) -> dict[str, tuple[str, np.ndarray]]:
        """{name of a set: (domain whose statistics it takes, x)}: no labels."""
        sets = {"target/logits": ("target", self.target.train.x[:UNLABELLED_IN_RECORDS])}
        sets |= {f"target_{s}/logits": ("target", getattr(self.target, s).x) for s in ("validation", "test")}
        return sets | {
            f"source{i}_val/logits": (f"source{i}", source.validation.x) for i, source in enumerate(self.sources)
        }

    def source_labels(self) -> np.ndarray:
        """Labels of the sources' validation splits, one after the other."""
        return np.concatenate([np.zeros(0, np.int32), *(source.validation.y for source in self.sources)])


def rows_known(domain: Domain) -> np.ndarray:
    """Rows of training examples whose class the network has; in an open label space the target has others."""
    return np.flatnonzero(domain.train.y < len(domain.classes)).astype(np.int32)


def _listed(domain: Domain, even: bool) -> np.ndarray | None:
    """The rows that are drawn with their labels, where these are not all, each once."""
    if not domain.classes:
        return None
    rows = rows_known(domain)
    if even:
        return balanced(domain.train.y, rows)
    return rows if len(rows) < len(domain.train.y) else None


def joined(names: Sequence[str], most: int = 4) -> str:
    """'a + b + c', or the first and how many more there are."""
    return " + ".join(names) if len(names) <= most else f"{names[0]} + {len(names) - 1} more"


def check_batches(problem: Problem, batch_size: int, labelled: bool = True) -> None:
    """Raises UserError if a training set is smaller than the batch; a target labelled in part is repeated."""
    target = [("Target", problem.target)] if labelled else []
    for role, domain in (*(("Source", s) for s in problem.sources), *target):
        size = len(domain.train.y)
        if batch_size > size:
            raise UserError(
                f"{role} {domain.name} has {size} training examples, the batch is {batch_size}: no full batch. "
                f"Use --batch_size={size} or less."
            )


def describe(domains: Sequence[Domain]) -> str:
    """One line a domain: name, sizes of its splits, shape, classes."""
    return "\n".join(
        f"  {d.name}: {len(d.train.y)} train, {len(d.validation.y)} validation, {len(d.test.y)} test, "
        f"{'x'.join(map(str, d.train.x.shape[1:]))}, "
        + (f"{d.train.y.shape[1]} tasks" if d.train.y.ndim == 2 else f"{len(d.classes)} classes")
        for d in domains
    )
