"""A model of a run directory, by its job, seed and step: `tl_jax.load`."""

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from tl_jax.core.errors import UserError, require
from tl_jax.core.files import say
from tl_jax.core.sealed import opened
from tl_jax.data.domain import Domain
from tl_jax.data.standardise import Scale, fitted
from tl_jax.kinds.predicting import observe
from tl_jax.kinds.table import kind_of, prepare
from tl_jax.naming.from_python import Handed
from tl_jax.programs.export import config_of
from tl_jax.programs.finished import restored, task_of
from tl_jax.programs.model import TrainedModel
from tl_jax.run.execute import divergence
from tl_jax.run.plan.scaling import PER_DOMAIN
from tl_jax.run.plan.types import Options, Setup, Task
from tl_jax.run.settings.config import Config
from tl_jax.run.store.claim import CONTENTS
from tl_jax.run.store.contents import changes, contents
from tl_jax.run.store.rundir import RunDirectory

SELECT = ("last", "selected")
NAMED = ("methods", "network", "select", "strategies")
"""Settings in which objects from Python may stand."""
NOTHING: Mapping[str, float] = MappingProxyType({})
NO_OBJECTS: Mapping[str, Handed] = MappingProxyType({})
NO_DOMAINS: Mapping[str, Domain] = MappingProxyType({})


class Wanted(NamedTuple):
    """Which model of a run: its job ("": the only one), a trial by number, or by seed (None: the first) and swept
    values; at its last step, or at the one that the run's criterion selected."""

    job: str = ""
    seed: int | None = None
    values: Mapping[str, float] = NOTHING
    trial: int | None = None
    select: str = "last"


def open_model(
    root: Path,
    wanted: Wanted,
    domains: Mapping[str, Domain] = NO_DOMAINS,
    data_dir: str = "",
    objects: Mapping[str, Handed] = NO_OBJECTS,
) -> TrainedModel:
    """A model of a run. domains: those by name that were handed over in Python; the others are read again: the scale
    of features and the unit of values are of the training examples. objects: likewise methods, networks, criteria.

    Raises UserError for no run, a run that predicts nothing, an unknown job, seed or value, a trial that diverged, a
    checkpoint that is gone, and data that have changed since.
    """
    if wanted.select == "oracle":
        raise UserError(
            "--select=oracle is the step that the target's validation labels choose: a bound beside the others, and no "
            "model that could be had without those labels. Use --select=selected or last."
        )
    require("--select", wanted.select, SELECT)
    config = with_objects(config_of(root), objects)
    kind = kind_of(config)
    if kind.observe is not observe.observe:
        raise UserError(f"{root} is a run of {config.kind}: its models predict no classes or values of a target.")
    try:
        setup = prepare(config, Options(data_dir=data_dir, devices=1), domains)
    except UserError as error:
        raise UserError(
            f"{root} cannot be opened without the data that it was trained on: {error} What was handed over in Python "
            "is handed over again: tl_jax.load(run, source=..., target=..., methods=...)."
        ) from None
    same_data(root, setup)
    task = task_of(root, setup, wanted.job)
    trial = _trial(task, wanted)
    at = _selected(root, kind.results, task, trial) if wanted.select == "selected" else None
    step, states = restored(root, task, setup.weights, at)
    if why := divergence.described(RunDirectory(root).record(task.job.name, step), trial):
        raise UserError(f"{root}: trial {trial} of {task.job.name} is no model, it diverged ({why['diverged']}).")
    if step < task.job.steps:
        say(f"{task.job.name} is of step {step} of {task.job.steps}.")
    one = jax.tree.map(lambda x: jnp.asarray(x[trial]), states._replace(opt={}))
    return TrainedModel(task, trial, step, one, _scales(setup, task))


def with_objects(config: Config, objects: Mapping[str, Handed]) -> Config:
    """The config with objects in the place of their names."""
    again = lambda value: tuple(map(again, value)) if isinstance(value, tuple) else objects.get(value, value)
    return dataclasses.replace(config, **{name: again(getattr(config, name)) for name in NAMED})


def same_data(root: Path, setup: Setup, code: bool = True) -> None:
    """Raises UserError where data or weights are not those of the run; other code is said, where it matters."""
    try:
        was = opened((root / CONTENTS).read_bytes())["made"]
    except (OSError, ValueError):
        say(f"{root / CONTENTS} is lost or damaged: whether the data are those of the training is not known.")
        return
    now = contents(setup)
    if changed := changes(was, {**now, "code": was["code"]}):
        raise UserError(
            f"{root} was trained on other data than there are now; changed: {'; '.join(changed)}. Its scale and its "
            "classes are of the former: put them back, or train again."
        )
    if code and (changed := changes({**now, "code": was["code"]}, now)):
        say(f"{root} was trained with other code, which may predict otherwise; changed: {'; '.join(changed)}.")


def _trial(task: Task, wanted: Wanted) -> int:
    """The trial that is wanted. Raises UserError where there is none, or several that differ in swept values."""
    trials, name = task.job.trials, task.job.name
    if wanted.trial is not None:
        if wanted.seed is not None or wanted.values:
            raise UserError("--trial counts trials; leave it out, or --seed and --values.")
        if not 0 <= wanted.trial < len(trials):
            raise UserError(f"--trial={wanted.trial}: {name} has trials 0 to {len(trials) - 1}.")
        return wanted.trial
    for key in wanted.values:
        require(f"value of {name}", key, dict(trials[0][1]))
    fits = lambda seed, values: wanted.seed in (None, seed) and all(values[k] == v for k, v in wanted.values.items())
    found = [i for i, (seed, values) in enumerate(trials) if fits(seed, dict(values))]
    several = lambda rows, key: list(dict.fromkeys(dict(trials[i][1])[key] for i in rows))
    every = range(len(trials))
    if not found:
        swept = [f"{k} {', '.join(f'{v:g}' for v in several(every, k))}" for k in wanted.values]
        seeds = ", ".join(str(seed) for seed in dict.fromkeys(seed for seed, _ in trials))
        raise UserError(f"No trial of {name} is so. There are: {'; '.join([f'seed {seeds}', *swept])}.")
    open_values = {key: several(found, key) for key in dict(trials[0][1]) if len(several(found, key)) > 1}
    if open_values:
        key, values = next(iter(open_values.items()))
        raise UserError(
            f"{name} was trained with several values of {' and '.join(open_values)}: choose with "
            f"{' or '.join(f'--values={key}={v:g}' for v in values)}."
        )
    return found[0]


def _selected(root: Path, results: Callable[..., list[dict[str, Any]]], task: Task, trial: int) -> int:
    """The step that the run's criterion selected for a trial. Raises UserError where the job is not finished."""
    found = results(task, RunDirectory(root))
    if not found:
        raise UserError(f"{root}: {task.job.name} is not finished, so nothing was selected. --select=last is possible.")
    if "selectors" not in found[trial]:
        raise UserError(f"{root}: trial {trial} of {task.job.name} is no model, it diverged.")
    return found[trial]["selectors"]["selected"]["step"]


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
