"""A trained model of several tasks: what it predicts of examples for each of them."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tl_jax.balancing.tasks import TaskHead
from tl_jax.core.errors import UserError, require
from tl_jax.data.domain import UNKNOWN, Domain
from tl_jax.evaluation.metrics import log_softmax, predictions
from tl_jax.kinds.multitask.observe import metrics
from tl_jax.kinds.multitask.tasks import SINGLE, answering, numbers
from tl_jax.programs.trained.answer import Answer, Said, scored
from tl_jax.programs.trained.export import Choice, write
from tl_jax.programs.trained.loaded import Loaded, Outputs
from tl_jax.programs.trained.program import met_as
from tl_jax.programs.trained.whose import Known, by_task
from tl_jax.run.plan.types import Setup
from tl_jax.run.wanted import Wanted
from tl_jax.training.state import model_of


@dataclass(frozen=True, eq=False, repr=False)
class TasksModel(Loaded):
    """A job's model of one seed that answers several questions: x goes through the door and the scale of the training,
    and each task says what it says by the statistics of the examples that it was trained on.

    only: the one task that is asked; "" asks all of them (of a model that was trained on one, that one).
    """

    only: str = ""

    def __post_init__(self) -> None:
        if not self.heads:
            trained = answering(self.task.problem.tasks, self.values)[0].name
            raise UserError(f"--task={self.only}: trial {self.trial} of {self.task.job.name} is of the task {trained}.")

    @property
    def described(self) -> str:
        """The job with its seed and swept values, and the one task that is asked of several."""
        one = len(self.heads) == 1 < len(self.task.problem.tasks)
        return super().described + (f", task {self.tasks[0]}" if one else "")

    @property
    def swept(self) -> set[str]:
        """Names of what was swept: the tasks of single-task training are no such thing."""
        return super().swept - {"task"}

    @property
    def heads(self) -> tuple[TaskHead, ...]:
        """The tasks that are asked, as the network has them."""
        found = answering(self.task.problem.tasks, self.values)
        return tuple(head for head in found if self.only in ("", head.name))

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that are asked, by name."""
        return tuple(head.name for head in self.heads)

    @property
    def classes(self) -> dict[str, tuple[str, ...]]:
        """What each task tells apart; () where it predicts values."""
        return {head.name: head.classes for head in self.heads}

    @property
    def spec(self) -> str:
        """A path is read as the first of the tasks that are asked."""
        return self.tasks[0]

    def predict(self, x: Any) -> dict[str, np.ndarray]:
        """{task: the class of every example by name [n], or values [n] in the unit of its labels}."""
        return self._each(x, _predicted)

    def probabilities(self, x: Any) -> dict[str, np.ndarray]:
        """{task: float64 [n, classes], the softmax}, of the tasks of classes. Raises UserError where there is none."""
        if not any(self.classes.values()):
            raise UserError(f"{', '.join(self.tasks)}: values, which predict(x) gives; there are no probabilities.")
        found = self._each(x, lambda head, out: np.exp(log_softmax(out)) if head.classes else out)
        return {name: p for name, p in found.items() if self.classes[name]}

    def features(self, x: Any, task: str = "") -> np.ndarray:
        """What goes into the heads: float32 [n, d]. task: by whose statistics, where tasks differ in these."""
        return self.features_of(self.by_domain(self.examples(x)), task)

    def export(self, out: str | Path, naming: str = "plain") -> list[Path]:
        """Write weights.safetensors, model.json and model.stablehlo, as `launch.export` does; their paths."""
        choice = Choice(self.task.job.name, self.trial, naming)
        return write(Path(out), self.task, (choice, self.step), model_of(self.state))

    def said(self, found: Sequence[Domain], domain: str = "target") -> Said:
        """As `Loaded.said`: an answer a task, each with the labels that are its own."""
        if domain != "target":
            raise UserError(f"--domain={domain}: each task goes by the statistics of its own examples. Leave it out.")
        known, notes = by_task(found, self.heads)
        outputs = self.by_domain(found[0].train.x)
        each = [_answer(head, outputs[self.domain_of(head)].logits, known.get(head.name)) for head in self.heads]
        features = self.features_of(outputs) if len(outputs) == 1 else None
        return Said(each, features, notes=notes)

    def domain_of(self, head: TaskHead) -> str:
        """Whose statistics a task goes by: those of its own examples, where the model tells them apart."""
        return met_as(self.state.stats, head)

    def by_domain(self, x: np.ndarray) -> Mapping[str, Outputs]:
        """{domain whose statistics a task goes by: outputs} of x in the form of the training examples."""
        return {domain: self.outputs(x, domain) for domain in dict.fromkeys(map(self.domain_of, self.heads))}

    def features_of(self, found: Mapping[str, Outputs], task: str = "") -> np.ndarray:
        """Those that a task reads. Raises UserError where none is named and they differ."""
        if task:
            require("task", task, self.tasks)
        elif len(found) > 1:
            raise UserError(
                f"The tasks {', '.join(self.tasks)} go by the statistics of {len(found)} inputs, so their features "
                f"differ: name one, as in --task={self.tasks[0]}."
            )
        head = next(head for head in self.heads if task in ("", head.name))
        return found[self.domain_of(head)].features

    def _each(self, x: Any, say: Callable[[TaskHead, np.ndarray], np.ndarray]) -> dict[str, np.ndarray]:
        found = self.by_domain(self.examples(x))
        return {head.name: say(head, _outputs(head, found[self.domain_of(head)].logits)) for head in self.heads}


def _outputs(head: TaskHead, logits: np.ndarray) -> np.ndarray:
    return np.asarray(head.outputs(logits.astype(np.float64)))


def _predicted(head: TaskHead, out: np.ndarray) -> np.ndarray:
    return np.array([*head.classes, ""], np.str_)[predictions(out)] if head.classes else out


def _answer(head: TaskHead, logits: np.ndarray, known: Known | None) -> Answer:
    y, labels = known or Known(np.full(len(logits), UNKNOWN), np.zeros(0, object))
    answer = Answer(head.name, head.classes, _outputs(head, logits), None, y, labels)
    return scored(answer, lambda rows: metrics(head, logits[rows], numbers(head, y[rows])))


def asked(root: Path, setup: Setup, wanted: Wanted) -> Wanted:
    """What is wanted, with the job and the trial of single-task training in the place of the task where it is of such.

    Raises UserError for a task of a run of one, an unknown one, and where several models of single tasks are meant.
    """
    names = [head.name for head in setup.problem.tasks]
    if wanted.task and not names:
        raise UserError(f"--task={wanted.task}: {root} is no run of several tasks.")
    if wanted.task:
        require("task", wanted.task, names)
    meant = [t for t in setup.tasks if wanted.job in ("", t.job.name, t.job.name.partition(" ")[0])]
    alone = [task for task in meant if "task" in dict(task.job.trials[0][1])]
    if not alone or len(alone) < len(meant) or wanted.trial is not None:
        return wanted
    if not wanted.task:
        there = ", ".join(head.name for task in alone for head in task.problem.tasks)
        raise UserError(f"{SINGLE} is a model for each task: choose one with --task. There are: {there}.")
    for task in alone:
        of = [head.name for head in task.problem.tasks]
        if wanted.task in of:
            values = {**wanted.values, "task": float(of.index(wanted.task))}
            return wanted._replace(job=task.job.name, values=values)
    raise UserError(f"--job={wanted.job} has no model of the task {wanted.task}: --job={SINGLE} has one of each.")
