"""What a run left behind, as models again."""

import json
from pathlib import Path
from typing import Any, NamedTuple

import jax

from tl_jax.core.errors import UserError, require
from tl_jax.core.types import Model, Tree
from tl_jax.run.conclude import FINISHED
from tl_jax.run.execute.begin import from_file, on_features, pretrained
from tl_jax.run.execute.execution import execution
from tl_jax.run.plan.jobs import Job
from tl_jax.run.plan.types import Options, Setup, Task
from tl_jax.run.plan.weights import Weights
from tl_jax.run.settings.config import Config
from tl_jax.run.store.checkpoints import CHECKPOINTS, Checkpoints
from tl_jax.run.store.chosen import Chosen
from tl_jax.run.store.names import slug
from tl_jax.run.store.rundir import RunDirectory
from tl_jax.training.freezing import carry_over, resolve
from tl_jax.training.predict import averaged
from tl_jax.training.state import State


class At(NamedTuple):
    """A trial, by number, at a step."""

    trial: int
    step: int


def config_of(root: Path) -> Config:
    """The config of a run directory. Raises UserError where it is none."""
    try:
        fields = json.loads((root / "config.json").read_text())
        return Config(**{name: _tuples(value) for name, value in fields.items()})
    except (OSError, ValueError, TypeError) as error:
        raise UserError(f"{root} is not a run directory of this version: config.json: {error}.") from None


def _tuples(value: Any) -> Any:
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def task_of(root: Path, setup: Setup, job: str) -> Task:
    """The task of a run's job, "" being the only one. Raises UserError for an unknown one, or "" of several."""
    tasks = {task.job.name: task for task in setup.tasks}
    if not job and len(tasks) > 1:
        raise UserError(f"{root} has several models: choose one with --job. There are: {', '.join(tasks)}.")
    name = job or next(iter(tasks))
    require("job", name, tasks)
    return tasks[name]


def restored(root: Path, task: Task, weights: Weights | None, at: At | None = None) -> tuple[int, State]:
    """The step and the states [T, ...] of a job, whole: with the trunk of cached features; at: as in `kept`.

    Raises UserError as `last` does.
    """
    if not task.job.strategy.cached:
        return last(root, task, began_from(root, task, weights), at)
    trunk = began_from(root, task, weights)
    step, states = last(root, on_features(task, trunk), None, at)
    params = {path: x for path, x in trunk[0].items() if not path.startswith("head/")}
    return step, states._replace(params={**params, **states.params}, stats=trunk[1])


def last(root: Path, task: Task, model: Any, at: At | None = None) -> tuple[int, State]:
    """As `kept`; its parameters are the averaged ones, where these are what it predicts by."""
    step, states = kept(root, task, model, at)
    return step, averaged(states)


def kept(root: Path, task: Task, model: Any, at: At | None = None) -> tuple[int, State]:
    """The step and the states [T, ...] of a task's last checkpoint; model: something like what its trials began from.

    at: a trial and a step; its states are then of that step, the others' perhaps not, and without the optimiser where
    no checkpoint of it is kept. Raises UserError where there is none.
    """
    mode = RunDirectory(root).manifest(task.job.name).mode
    if mode is None or not (root / CHECKPOINTS / slug(task.job.name)).is_dir():
        if (root / FINISHED).exists() and not (root / CHECKPOINTS).exists():
            raise UserError(
                f"{root} was finished and holds no checkpoints: with --keep=records nothing but records stays. Train "
                "in a new --run_dir with --keep=all."
            )
        raise UserError(f"{root} has no checkpoint of {task.job.name}: it has not been trained there.")
    checkpoints = Checkpoints(root, task.job.name, read_only=True)
    try:
        how = execution(task, Options(devices=1), mode)
        like = jax.eval_shape(how.programs.begin, task.starts(model), how.data)
        if at and (states := Chosen(root, task.job.name).states(at.trial, at.step, like)):
            return at.step, states
        step = _step(root, task, checkpoints, at.step if at else None)
        factors = resolve(task.rules, task.shapes, max(step - 1, 0))
        if factors != how.factors:
            fresh = jax.eval_shape(how.build(factors).renew, like)
            like = like._replace(opt=jax.eval_shape(carry_over, fresh.opt, like.opt))
        return step, checkpoints.restore(step, like)
    finally:
        checkpoints.close()


def _step(root: Path, task: Task, checkpoints: Checkpoints, at: int | None) -> int:
    """The step of the last whole checkpoint, or `at`. Raises UserError where it is not there."""
    step = checkpoints.last_whole() if at is None else checkpoints.last_whole(at + 1)
    if at is not None and step != at:
        there, one = [], checkpoints.last_whole()
        while one is not None:
            there, one = [one, *there], checkpoints.last_whole(one)
        raise UserError(
            f"{root}: the model of {task.job.name} at step {at} is gone: a run keeps what its own criterion selects, "
            f"and its last two checkpoints, here of step {' and '.join(map(str, there)) or '(none)'}. --select=last "
            "takes the last of them."
        )
    if step is None:
        raise UserError(
            f"{root} has no whole checkpoint of {task.job.name}: none is complete, or they are damaged. Nothing "
            "was loaded. If the run has ended, its weights are lost: train it again in a new --run_dir."
        )
    return step


def began_from(root: Path, task: Task, weights: Weights | None) -> Any:
    """The (params, stats) [T, ...] that a task's trials began from: of the file, of the run's hidden job, or None."""
    if task.start is None:
        return from_file(task, weights)
    states = last(root, task.start, from_file(task.start, weights))[1]
    return pretrained(task, (states.params, states.stats))


def plain_weights(job: Job, model: Model) -> tuple[Tree, Tree]:
    """The (params, stats) with which the plain network says what a job's model does, where there are such: those that a
    method predicts by, low-rank pairs merged. model: with the statistics of the target."""
    params, stats = job.method.plain(model, "target") if job.method.plain else (model.params, model.stats)
    return (job.strategy.merge(params) if job.strategy.merge else params), stats
