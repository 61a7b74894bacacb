"""A model of a run directory, by its job, seed and step: `tl_jax.load`."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain
from tl_jax.data.standardise import Scale, fitted
from tl_jax.kinds.multitask import observe as of_tasks
from tl_jax.kinds.predicting import observe
from tl_jax.kinds.table import kind_of, prepare
from tl_jax.kinds.test_time import observe as of_streams
from tl_jax.naming.from_python import Handed
from tl_jax.programs.trained.model import TrainedModel
from tl_jax.programs.trained.streamed import StreamModel
from tl_jax.programs.trained.tasks import TasksModel, asked
from tl_jax.run.finished import config_of, task_of
from tl_jax.run.plan.scaling import PER_DOMAIN
from tl_jax.run.plan.types import Options, Setup, Task
from tl_jax.run.settings.config import Config
from tl_jax.run.wanted import Wanted, check_select, same_data, state_of

NAMED = ("methods", "network", "select", "strategies")
"""Settings in which objects from Python may stand."""
NO_OBJECTS: Mapping[str, Handed] = MappingProxyType({})
NO_DOMAINS: Mapping[str, Domain] = MappingProxyType({})
Model = TrainedModel | TasksModel | StreamModel


def open_model(
    root: Path,
    wanted: Wanted,
    domains: Mapping[str, Domain] = NO_DOMAINS,
    data_dir: str = "",
    objects: Mapping[str, Handed] = NO_OBJECTS,
) -> Model:
    """A model of a run. domains: those by name that were handed over in Python; the others are read again: the scale
    of features and the unit of values are of the training examples. objects: likewise methods, networks, criteria.

    Raises UserError for no run, a run that predicts nothing, an unknown job, task, seed or value, a trial that
    diverged, a checkpoint that is gone, and data that have changed since.
    """
    check_select(wanted)
    config = with_objects(config_of(root), objects)
    kind = kind_of(config)
    if kind.observe not in (observe.observe, of_tasks.observe, of_streams.observe):
        raise UserError(f"{root} is a run of {config.kind}: its models predict no classes or values of a target.")
    setup = _prepared(root, config, domains, data_dir)
    same_data(root, setup)
    wanted = asked(root, setup, wanted)
    task = task_of(root, setup, wanted.job)
    if kind.observe is of_streams.observe and wanted.select != "last":
        raise UserError(f"--select={wanted.select}: at test time nothing is chosen. Leave it out.")
    trial, step, state = state_of(root, kind, (task, setup.weights), wanted)
    found = (task, trial, step, state, _scales(setup, task))
    if task.problem.tasks:
        return TasksModel(*found, only=wanted.task)
    if kind.observe is of_streams.observe:
        return StreamModel(task, trial, task.start.job.steps if task.start else step, *found[3:])
    return TrainedModel(*found)


def _prepared(root: Path, config: Config, domains: Mapping[str, Domain], data_dir: str) -> Setup:
    try:
        return prepare(config, Options(data_dir=data_dir, devices=1), domains)
    except UserError as error:
        raise UserError(
            f"{root} cannot be opened without the data that it was trained on: {error} What was handed over in Python "
            "is handed over again: tl_jax.load(run, source=..., target=..., methods=...), or tasks=[...]."
        ) from None


def with_objects(config: Config, objects: Mapping[str, Handed]) -> Config:
    """The config with objects in the place of their names."""
    again = lambda value: tuple(map(again, value)) if isinstance(value, tuple) else objects.get(value, value)
    return dataclasses.replace(config, **{name: again(getattr(config, name)) for name in NAMED})


def _scales(setup: Setup, task: Task) -> dict[str, Scale | None]:
    """{domain that the model tells apart: the scale of its features}."""
    config, problem, method = task.config, task.problem, task.job.method
    own = config.standardise == PER_DOMAIN
    found: dict[str, Scale | None] = {"target": problem.scale}
    if config.forward_plan != PER_DOMAIN and method.predict is None and not own:
        return found
    for i in range(len(problem.sources)):
        name = problem.statistics_of(method, i)
        if name not in found:
            found[name] = fitted([setup.problem.sources[i].train.x]) if own else problem.scale
    return found
