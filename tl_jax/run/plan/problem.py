"""The data of a run: what training may see, and what only evaluation may see."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from tl_jax.balancing.tasks import TaskHead
from tl_jax.core.batching import some
from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain, known
from tl_jax.data.pipeline.rows import balanced
from tl_jax.data.standardise import Scale
from tl_jax.methods.contract import Method
from tl_jax.training.state import Data

Units = tuple[float, float]
UNLABELLED_IN_RECORDS = 1000
"""How many of the target's training examples the label-free criteria see, drawn once by a fixed seed."""


class Problem(NamedTuple):
    """Matched source domains and a target domain with one shape of examples.

    They share one list of classes, too, unless there is no source: a job sees those domains whose classes its
    network's head has (see `of_source`, `of_target`).
    With tasks the sources are their inputs, y [n, K] float32 with NaN for a missing label; the target is the first.
    scale: by which the target's features were standardised, if they were.
    unseen: the target is met in the test alone (generalisation): neither training nor selection is given any of it.
    units: labels that are values (no classes, no tasks) are trained as (y - center) / scale.
    """

    sources: tuple[Domain, ...]
    target: Domain
    tasks: tuple[TaskHead, ...] = ()
    units: Units = (0.0, 1.0)
    scale: Scale | None = None
    unseen: bool = False

    @property
    def values(self) -> bool:
        """Whether labels are values: a regression."""
        return not self.tasks and self.target.values

    def of_input(self, i: int) -> "Problem":
        """What single-task training sees: one input and its tasks."""
        tasks, end = [], 0
        for task in (task for task in self.tasks if task.input == i):
            begin, end = end, end + task.width
            tasks.append(task._replace(input=0, begin=begin, end=end))
        return Problem((self.sources[i],), self.sources[i], tuple(tasks), scale=self.scale)

    @property
    def domains(self) -> tuple[Domain, ...]:
        """Each of them once."""
        return self.sources if self.tasks else (*self.sources, self.target)

    def of_source(self) -> "Problem":
        """What pretraining sees: the sources, the first of which is also what it is tested on."""
        return Problem(self.sources, self.sources[0], units=units(source.train.y for source in self.sources))

    def of_target(self) -> "Problem":
        """What fine-tuning sees: the target; the sources as well if they have its classes.

        Its units are those of the validation split, however few of the training labels are given; of the training
        split where no label of the former is known.
        """
        shared = self.sources if self.sources and self.sources[0].classes == self.target.classes else ()
        parts = (self.target.validation.y, self.target.train.y)
        known_first = units([next((y for y in parts if known(y).any()), parts[0])])
        return Problem(shared, self.target, units=known_first, scale=self.scale)

    def training(self, method: Method, partly: bool = False, even: bool = False) -> Data:
        """The arrays a method trains on; target labels for the supervised bound, or where it is labelled in part.

        even: classes are drawn equally often. Examples whose class is unknown, or one that the network lacks, are
        never drawn with labels.
        A target that is labelled in part is one more source, the last, beside the unlabelled target: `batch_size` of
        its labelled rows are in every batch, with statistics of their own under `per_domain`, and a method's domain
        terms (adversaries, distances) count them as source. Such terms also part the target's rows from each other.
        """
        labelled = self.sources if method.labels in ("source", "both") else ()
        if method.labels in ("target", "both") or partly:
            labelled = (*labelled, self.target)
        pairs: Any = tuple((domain.train.x, self._labels(domain.train.y)) for domain in labelled)
        # Still on the host: placing it is the devices' affair.
        target: Any = None if self.unseen else self.target.train.x
        lists: Any = () if self.tasks else tuple(_listed(domain, even) for domain in labelled)
        return Data(pairs, target, lists=lists if any(rows is not None for rows in lists) else ())

    def _labels(self, y: np.ndarray) -> np.ndarray:
        """Class numbers int32, or values float32 in the units of training."""
        if self.values:
            return ((y - self.units[0]) / self.units[1]).astype(np.float32)
        return y.astype(np.float32 if self.tasks else np.int32)

    def unlabelled(self, domains: str) -> Data:
        """The arrays of self-supervised pretraining on "source", "target" or "both": there is no label among them."""
        sources: Any = tuple(domain.train.x for domain in self.sources)
        target: Any = self.target.train.x
        first, *others = {"source": sources, "target": (target,), "both": (target, *sources)}[domains]
        return Data((), first, tuple(others))

    def statistics_of(self, method: Method, i: int) -> str:
        """The domain whose statistics source i takes: its own, or the target's where nothing else was seen."""
        return "target" if method.labels == "target" else f"source{i}"

    def evaluation(self, method: Method) -> dict[str, tuple[str, np.ndarray]]:
        """{name of a set: (domain whose statistics it takes, x)}: no labels."""
        x = self.target.train.x
        rows = np.sort(some(len(x), UNLABELLED_IN_RECORDS))
        sets = {} if self.unseen else {"target": ("target", x[rows])}
        sets |= {f"target_{s}": ("target", getattr(self.target, s).x) for s in ("validation", "test")}
        return sets | {
            f"source{i}_val": (self.statistics_of(method, i), source.validation.x)
            for i, source in enumerate(self.sources)
        }

    def source_labels(self) -> np.ndarray:
        """Labels of the sources' validation splits, one after the other."""
        return np.concatenate([np.zeros(0, np.int32), *(source.validation.y for source in self.sources)])


def units(labels: Iterable[np.ndarray]) -> Units:
    """Mean and standard deviation of the known labels of several sets together, (0, 1) for class numbers."""
    many = list(labels)
    if not many or not np.issubdtype(many[0].dtype, np.floating):
        return 0.0, 1.0
    y = np.concatenate(many).astype(np.float64)
    y = y[known(y)]
    return (float(y.mean()), float(y.std()) or 1.0) if len(y) else (0.0, 1.0)


def rows_known(domain: Domain) -> np.ndarray:
    """Rows of training examples whose label is known, of a class that the network has.

    In an open label space the target has others.
    """
    y = domain.train.y
    return np.flatnonzero(known(y) & ((y < len(domain.classes)) | (not domain.classes))).astype(np.int32)


def _listed(domain: Domain, even: bool) -> np.ndarray | None:
    """The rows that are drawn with their labels, where these are not all, each once."""
    rows = rows_known(domain)
    if even and domain.classes:
        return balanced(domain.train.y, rows)
    return rows if len(rows) < len(domain.train.y) else None


def joined(names: Sequence[str], most: int = 4) -> str:
    """'a + b + c', or the first and how many more there are."""
    return " + ".join(names) if len(names) <= most else f"{names[0]} + {len(names) - 1} more"


def check_batches(problem: Problem, batches: tuple[int, int], method: Method, partly: bool = False) -> None:
    """Raises UserError if a method draws from fewer examples than the batch has: of labelled sets, of unlabelled ones.

    A target labelled in part is repeated; with labels only known ones are drawn, of classes that the network has.
    """
    labelled = method.labels in ("source", "both") and not problem.tasks
    size_of = lambda source: len(rows_known(source)) if labelled else len(source.train.y)
    sets = [("Source", source, size_of(source), batches[0]) for source in problem.sources]
    if not partly and not problem.unseen:
        sets.append(("Target", problem.target, len(problem.target.train.y), batches[1]))
        if method.labels in ("target", "both"):
            sets.append(("Target", problem.target, len(rows_known(problem.target)), batches[0]))
    for role, domain, size, batch in sets:
        if batch > size:
            of = " of the source's classes" if size < int(known(domain.train.y).sum()) else ""
            of = of or (" with a known label" if size < len(domain.train.y) else "")
            raise UserError(
                f"{role} {domain.name} has {size} training examples{of}, the batch is {batch}: no full batch. "
                f"Use --{'target_' * (batch != batches[0])}batch_size={size} or less."
            )


def _labels_of(domain: Domain) -> str:
    if domain.train.y.ndim == 2:
        return f"{domain.train.y.shape[1]} tasks"
    n, size = domain.unknown, sum(len(part.y) for part in domain.splits.values())
    missing = "no labels" if n == size else f"{n} of {size} labels unknown" if n else ""
    kind = f"{len(domain.classes)} classes" if domain.classes else "values" if domain.values else ""
    return ", ".join(filter(None, (kind, missing)))


def describe(domains: Sequence[Domain]) -> str:
    """One line a domain: name, sizes of its splits, shape, classes; then what was changed in reading it."""
    return "\n".join(
        f"  {d.name}: {len(d.train.y)} train, {len(d.validation.y)} validation, {len(d.test.y)} test, "
        f"{'x'.join(map(str, d.train.x.shape[1:]))}, " + "\n    ".join([_labels_of(d), *d.notes])
        for d in domains
    )
