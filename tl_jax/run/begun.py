"""Weights to begin from that another run left: --init_from='RUN?job=dann&seed=0'."""

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote

import jax
import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.models.files.pretrained import under_names
from tl_jax.models.files.weights import File
from tl_jax.run.finished import config_of, plain_weights, task_of
from tl_jax.run.kind import Kind
from tl_jax.run.plan.types import Setup, Task
from tl_jax.run.plan.weights import Weights
from tl_jax.run.settings.config import AUTO, Config
from tl_jax.run.store.claim import CONFIG, CONTENTS
from tl_jax.run.wanted import Wanted, check_select, same_data, state_of
from tl_jax.training.state import model_of, target_model

WHICH = (
    "Which of its models is said behind a '?', as in --init_from='RUN?job=mcc&seed=1': job, seed, trial, select (last "
    "or selected), and swept values by their names."
)
GROUPS = ("backbone", "bottleneck", "head")
"""What a network is made of."""
Opening = Callable[[Config], tuple[Kind, Setup]]


class Begun(NamedTuple):
    """A config that begins from a run, and the weights as a file would hold them; None: it begins from no run."""

    config: Config
    file: File | None = None


def begun(config: Config, opening: Opening) -> Begun:
    """The config with the weights of the run that --init_from names, and where it leaves the network to be chosen with
    the network of that run. opening(config of that run) -> its kind and setup.

    Raises UserError where there is no such run or model, or its data cannot be read as they were.
    """
    root, query, asked = config.init_from.partition("?")
    if not _is_run(root):
        if query and not Path(config.init_from).is_file():
            raise UserError(f"--init_from={config.init_from}: {root} is no run directory. {WHICH}")
        return Begun(config)
    try:
        theirs, file = _opened(Path(root).expanduser(), _wanted(asked), opening)
    except UserError as error:
        raise UserError(f"--init_from={config.init_from}: {error} {WHICH}") from None
    return Begun(dataclasses.replace(config, network=theirs) if config.network == AUTO else config, file)


def _is_run(path: str) -> bool:
    try:
        root = Path(path).expanduser()
        return bool(path) and (root / CONFIG).is_file() and (root / CONTENTS).is_file()
    except (OSError, ValueError, RuntimeError):  # too long a name, a zero byte, no home
        return False


def _wanted(asked: str) -> Wanted:
    """What stands behind the '?'. Raises UserError where a part is not name=value, or a number none."""
    given: dict[str, str] = {}
    for pair in filter(None, asked.split("&")):
        name, equals, value = pair.partition("=")
        if not name or not equals or name in given:
            raise UserError(f"'{pair}' is not name=value, or given twice.")
        given[name] = unquote(value)
    job, select = given.pop("job", ""), given.pop("select", "last")
    seed, trial = (_number(name, given.pop(name)) if name in given else None for name in ("seed", "trial"))
    values = {name: _number(name, text, float) for name, text in given.items()}
    wanted = Wanted(job, seed, values, trial, select)
    check_select(wanted)
    return wanted


def _number(name: str, text: str, kind: type = int):
    try:
        return kind(text)
    except ValueError:
        raise UserError(f"{name}={text}: a number is needed.") from None


def _opened(root: Path, wanted: Wanted, opening: Opening) -> tuple[str, File]:
    """The network of a run and its weights."""
    theirs = config_of(root)
    try:
        kind, setup = opening(theirs)
    except UserError as error:
        raise UserError(
            f"the run cannot be opened without the data that it was trained on: {error} A model in Python writes its "
            "weights by model.export(FOLDER), which --init_from takes, too."
        ) from None
    same_data(root, setup)
    task = _task(root, setup, wanted.job)
    _, step, state = state_of(root, kind, (task, setup.weights), wanted)
    params, stats = plain_weights(task.job, target_model(model_of(state)))
    left = sorted(set(params) - set(GROUPS)) + ([] if _has_head(task, setup.weights) else ["head"])
    arrays = under_names({name: x for name, x in params.items() if name not in left}, stats, "plain")
    if not all(np.isfinite(x).all() for x in jax.tree.leaves(arrays)):
        raise UserError(f"the weights of {task.job.name} are not finite.")
    notes = [f"{task.job.name}, step {step} of {theirs.kind} transfer"]
    notes += [f"left behind, the method's own or never trained: {', '.join(left)}"] if left else []
    return setup.config.network, File(arrays, tuple(notes), task.problem.target.classes)


def _has_head(task: Task, weights: Weights | None) -> bool:
    """Whether the head was trained: by the task's labels, before it, or in the file that it began from."""
    before = task.start is not None or any(path.startswith("head/") for path in (weights.params if weights else ()))
    return before or task.job.method.labels != "none"


def _task(root: Path, setup: Setup, job: str) -> Task:
    """The task of a job; "": the only one that was trained, or any where all are models of one training."""
    if job:
        return task_of(root, setup, job)
    trained = [task for task in setup.tasks if task.job.method.trained]
    return trained[0] if len(trained) == 1 else setup.tasks[0] if not trained else task_of(root, setup, job)
