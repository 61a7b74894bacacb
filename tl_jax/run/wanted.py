"""Which model of a run is meant: its job, seed, swept values and step."""

from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from tl_jax.core.errors import UserError, require
from tl_jax.core.files import say
from tl_jax.core.sealed import opened
from tl_jax.run.execute import divergence
from tl_jax.run.finished import At, restored
from tl_jax.run.kind import Kind
from tl_jax.run.plan.types import Setup, Task
from tl_jax.run.plan.weights import Weights
from tl_jax.run.store.claim import CONTENTS
from tl_jax.run.store.contents import changes, contents
from tl_jax.run.store.rundir import RunDirectory
from tl_jax.training.state import State

SELECT = ("last", "selected")
NOTHING: Mapping[str, float] = MappingProxyType({})


class Wanted(NamedTuple):
    """Which model of a run: its job ("": the only one), a trial by number, or by seed (None: the first) and swept
    values; at its last step, or at the one that the run's criterion selected; of several tasks the one asked."""

    job: str = ""
    seed: int | None = None
    values: Mapping[str, float] = NOTHING
    trial: int | None = None
    select: str = "last"
    task: str = ""


def check_select(wanted: Wanted) -> None:
    """Raises UserError for a step that nobody could have."""
    if wanted.select == "oracle":
        raise UserError(
            "--select=oracle is the step that the target's validation labels choose: a bound beside the others, and no "
            "model that could be had without those labels. Use --select=selected or last."
        )
    require("--select", wanted.select, SELECT)


def state_of(root: Path, kind: Kind, task: tuple[Task, Weights | None], wanted: Wanted) -> tuple[int, int, State]:
    """The trial that is wanted of a task, begun from these weights, its step and its state, which predicts as it is.

    Raises UserError where there is no such trial, its checkpoint is gone, or it diverged.
    """
    of, weights = task
    trial = trial_of(of, wanted)
    selected = wanted.select == "selected"
    at = At(trial, selected_step(root, kind.results, of, trial)) if selected else None
    step, states = restored(root, of, weights, at)
    if why := divergence.described(RunDirectory(root).record(of.job.name, step), trial):
        raise UserError(f"{root}: trial {trial} of {of.job.name} is no model, it diverged ({why['diverged']}).")
    if step < of.job.steps:
        say(f"{of.job.name} is of step {step} of {of.job.steps}.")
    return trial, step, jax.tree.map(lambda x: jnp.asarray(x[trial]), states._replace(opt={}))


def trial_of(task: Task, wanted: Wanted) -> int:
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


def selected_step(root: Path, results: Callable[..., list[dict[str, Any]]], task: Task, trial: int) -> int:
    """The step that the run's criterion selected for a trial. Raises UserError where the job is not finished."""
    found = results(task, RunDirectory(root))
    if not found:
        raise UserError(f"{root}: {task.job.name} is not finished, so nothing was selected. --select=last is possible.")
    if "selectors" not in found[trial]:
        raise UserError(f"{root}: trial {trial} of {task.job.name} is no model, it diverged.")
    return found[trial]["selectors"]["selected"]["step"]


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
