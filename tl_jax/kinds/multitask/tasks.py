"""Multi-task transfer before training: domains become tasks, strategies become jobs."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tl_jax.balancing.contract import Balance
from tl_jax.balancing.table import STRATEGIES
from tl_jax.balancing.tasks import TaskHead
from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain, Examples, changed, equal, known
from tl_jax.data.match.shapes import alike
from tl_jax.methods.multitask import multitask
from tl_jax.models.sharing import SHARING
from tl_jax.naming.calls import Call, parse
from tl_jax.run.plan.jobs import make_job
from tl_jax.run.plan.problem import Problem, joined
from tl_jax.run.plan.types import Part
from tl_jax.run.settings.config import Config

SINGLE = "single"
"""The baseline: every task trained alone, with the trunk, the steps and the batches that the others have."""


def task_problem(domains: Sequence[Domain]) -> Problem:
    """Domains as tasks: those with equal examples become one input, with their labels side by side.

    Raises UserError for fewer than one task, one named twice, or examples that cannot have one shape.
    """
    names = [domain.name for domain in domains]
    if not names or len(set(names)) != len(names):
        raise UserError(f"--task={names}: name at least one task, each only once.")
    groups: list[list[Domain]] = []
    place: dict[str, tuple[int, int]] = {}
    for domain in alike(domains):
        i = next((i for i, group in enumerate(groups) if _same_examples(group[0], domain)), len(groups))
        if i == len(groups):
            groups.append([])
        place[domain.name] = (i, len(groups[i]))
        groups[i].append(domain)
    return _problem(groups, place, list(domains))


def _problem(groups: list[list[Domain]], place: dict[str, tuple[int, int]], order: list[Domain]) -> Problem:
    tasks, end = [], 0
    for domain in order:
        begin, end = end, end + (len(domain.classes) if len(domain.classes) > 2 else 1)
        y = domain.train.y[known(domain.train.y)]
        if not len(y):
            raise UserError(f"{domain.name}: no training example has a label.")
        if len(y) > 1 and (y == y[0]).all():
            raise UserError(f"{domain.name}: every known label of the train split is {y[0]:g}: nothing to learn.")
        labels = "values" if not domain.classes else "binary" if len(domain.classes) == 2 else "classes"
        center, scale = (float(y.mean()), float(y.std()) or 1.0) if labels == "values" else (0.0, 1.0)
        tasks.append(TaskHead(domain.name, labels, domain.classes, *place[domain.name], begin, end, center, scale))
    by_name = {task.name: task for task in tasks}
    inputs = tuple(_joined(group, by_name) for group in groups)
    return Problem(inputs, inputs[0], tuple(tasks))


def _joined(group: Sequence[Domain], tasks: dict[str, TaskHead]) -> Domain:
    """Domains of equal examples as one, y [n, K] float32, NaN where a label is missing."""

    labels = lambda name: [numbers(tasks[domain.name], domain.splits[name].y) for domain in group]
    parts = {name: Examples(part.x, np.stack(labels(name), axis=1)) for name, part in group[0].splits.items()}
    return changed(group[0], name=joined([domain.name for domain in group]), classes=(), **parts)


def numbers(task: TaskHead, y: np.ndarray) -> np.ndarray:
    """A task's labels [n] as they are trained on: float32, NaN where one is missing, values in the task's scale."""
    return np.where(known(y), (y.astype(np.float64) - task.center) / task.scale, np.nan).astype(np.float32)


def answering(tasks: Sequence[TaskHead], values: Mapping[str, float]) -> Sequence[TaskHead]:
    """The tasks that a trial is trained on: all of them, or of single-task training the one that its values say."""
    return tasks if "task" not in values else [tasks[int(values["task"])]]


def _same_examples(a: Domain, b: Domain) -> bool:
    pairs = [(a.splits[name].x, b.splits[name].x) for name in a.splits]
    return all(x is y or equal(x, y) for x, y in pairs)


def task_jobs(config: Config, problem: Problem) -> list[Part]:
    """One job a strategy; for `single` one an input, whose trials are its tasks.

    Raises UserError for unknown or repeated strategies, and for a swept name that there is not.
    """
    if not config.strategies or len(set(config.strategies)) != len(config.strategies):
        raise UserError(f"--strategy={list(config.strategies)}: name at least one strategy, each only once.")
    parse(config.sharing, SHARING, "sharing")
    for name, _ in config.sweep:
        if name not in ("lr", "weight_decay"):
            raise UserError(f"--sweep={name}: of multi-task training lr and weight_decay can be swept.")
    calls = [parse(text, {SINGLE: _single, **STRATEGIES}, "strategy", (Balance,)) for text in config.strategies]
    return [part for call in calls for part in _parts(config, problem, call)]


def _single() -> None:
    """A name in the table of strategies; what it stands for is in `_parts`."""


def _parts(config: Config, problem: Problem, call: Call) -> list[Part]:
    if call.text != SINGLE:
        balance = call()
        balance.init(len(problem.tasks), {})  # refuses a number of weights that is not that of the tasks
        return [Part(config, problem, make_job(config, call.text, multitask(problem.tasks, balance)))]
    parts = []
    for i in range(len(problem.sources)):
        alone = problem.of_input(i)
        swept = ("task", tuple(map(float, range(len(alone.tasks)))))
        one = dataclasses.replace(config, sharing="hard", sweep=(*config.sweep, swept))
        name = SINGLE if len(problem.sources) == 1 else f"{SINGLE} {alone.target.name}"
        parts.append(Part(one, alone, make_job(one, name, multitask(alone.tasks))))
    return parts
