"""From a config to everything its jobs need, before anything is trained or written."""

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.calls import parse
from tl_jax.core.errors import UserError
from tl_jax.core.floats import accepting_bytes
from tl_jax.core.types import Network
from tl_jax.data.pipeline.rows import balanced, labelled_rows, repeated
from tl_jax.fine_tuning.layout import Layout, layout
from tl_jax.models.conv import conv_form
from tl_jax.models.networks import build
from tl_jax.models.sharing import SHARING, build_tasks
from tl_jax.run.execute.trials import starts
from tl_jax.run.plan.config import AMOUNTS, Config, network_call
from tl_jax.run.plan.devices import Placement
from tl_jax.run.plan.jobs import Job
from tl_jax.run.plan.problem import Problem, check_batches, rows_known
from tl_jax.run.plan.weights import Weights
from tl_jax.training.create import create
from tl_jax.training.freezing import Rule, matches, resolve
from tl_jax.training.recipe import Recipe
from tl_jax.training.state import Data, Start, State


class Options(NamedTuple):
    """What a user may choose without changing a number: where things lie and how they are executed.

    device_bytes: training sets that take more stream (0: half of the device's memory), read by `workers` processes.
    accept_changes: go on with a run whose data, weights or code have changed; its records then say so.
    """

    run_dir: str = ""
    data_dir: str = ""
    devices: int = 0
    trials: str = "auto"
    quiet: bool = False
    device_bytes: int = 0
    workers: int = 0
    accept_changes: bool = False


class Task(NamedTuple):
    """A job with the problem as it sees it.

    shapes: {path: shape of a parameter}; rules: the freezing rules in force; rows: labelled rows of the
    target by trial [T, L], or None for all; start: the task that trains the model this one begins from.
    """

    job: Job
    config: Config
    problem: Problem
    shapes: dict[str, jax.ShapeDtypeStruct]
    rules: tuple[Rule, ...]
    rows: np.ndarray | None
    start: "Task | None"

    @property
    def data(self) -> Data:
        """The arrays it trains on, still on the host."""
        if self.config.kind == "unsupervised":
            return self.problem.unlabelled(self.config.pretrain_on)
        return self.problem.training(self.job.method, self.rows is not None, self.config.balanced)

    @property
    def every(self) -> int:
        """Steps between evaluations: as the config says, or a tenth of the job."""
        return self.config.eval_every or max(1, self.job.steps // 10)

    @property
    def evaluations(self) -> list[int]:
        """The steps at which it is evaluated."""
        return [*range(self.every, self.job.steps, self.every), self.job.steps]

    def starts(self, model: Any = None) -> Start:
        """Where its trials begin; model: stacked (params, stats) or None."""
        return starts(self.job.trials, model, self.rows)


class Setup(NamedTuple):
    """A checked config with its problem, its tasks and the weights of --init_from.

    notes: what the config asked for by default and the data do not allow, in words.
    """

    config: Config
    options: Options
    problem: Problem
    tasks: list[Task]
    weights: Weights | None
    notes: tuple[str, ...] = ()


def make_task(config: Config, problem: Problem, job: Job) -> Task:
    """A job's task. Raises UserError for strategies and batches that do not fit.

    Its rules are those of the user's that match any of its parameters (see run/plan/rules.py); the hidden job that
    trains the model it begins from has none of them.
    """
    start = None
    if job.start is not None:
        before = problem.of_source() if config.kind == "inductive" else problem
        start = make_task(dataclasses.replace(config, freeze=()), before, job.start)
    if config.kind == "inductive":
        problem = problem.of_target()
        check_sources(problem, job)
    rows = _rows(problem, job, config)
    check_batches(problem, config.batch_size, job.method, partly=rows is not None)
    net = make_network(config, problem, job, "map")
    blocks = _blocks(config, problem, job)
    task = Task(job, config, problem, {}, (), rows, start)
    begin = lambda one, data: create(Recipe(net, job.method, config.forward_plan), data, one)
    state: State = jax.eval_shape(begin, jax.tree.map(lambda x: x[0], task.starts()), task.data)
    mine = tuple(rule for rule in config.freeze if matches(rule, state.params))
    rules = job.rules(dataclasses.replace(config, freeze=mine), blocks)
    resolve(rules, state.params)
    return task._replace(shapes=state.params, rules=rules)


def check_sources(problem: Problem, job: Job) -> None:
    """Raises UserError for a method that trains on source examples beside the target's where there are none."""
    if job.method.labels == "both" and not problem.sources:
        raise UserError(
            f"{job.name}: the method trains one head on labelled examples of source and target, and there is no source "
            f"with the classes of {problem.target.name}. Give a --source that has them, or use --method=fine_tune."
        )


def _blocks(config: Config, problem: Problem, job: Job) -> Layout:
    """The network's blocks. Raises UserError where the examples are of a size that it cannot have."""
    x = example(problem)
    try:
        return layout(make_network(config, problem, plain(job), "map"), x)
    except (ArithmeticError, IndexError, TypeError, ValueError) as error:
        raise UserError(
            f"--network={config.network} cannot take examples {list(x.shape[1:])} of {problem.target.name} ({error}). "
            "Choose another network or other arguments, or resize the examples."
        ) from None


def plain(job: Job) -> Job:
    """The job with the network as it is."""
    return dataclasses.replace(job, strategy=Job.strategy)


def example(problem: Problem) -> jax.Array:
    """Two examples of zeros, for shapes."""
    x = problem.target.train.x
    return jnp.zeros((2, *x.shape[1:]), x.dtype)


def _rows(problem: Problem, job: Job, config: Config) -> np.ndarray | None:
    """Labelled rows of the target for every trial [T, L]; every trial's are repeated up to the longest."""
    amounts = [{name: value for name, value in values if name in AMOUNTS} for _, values in job.trials]
    if not any(amounts):
        return None
    y, known = problem.target.train.y, rows_known(problem.target)
    chosen = []
    for (seed, _), a in zip(job.trials, amounts, strict=True):
        share = {"per_class": a.get("labels_per_class", 0), "fraction": a.get("label_fraction", 0)}
        rows = known[labelled_rows(y[known], **share, seed=seed)]
        chosen.append(balanced(y, rows) if config.balanced else rows)
    longest = max(config.batch_size, *(len(rows) for rows in chosen))
    return np.stack([repeated(rows, longest) for rows in chosen])


def make_network(config: Config, problem: Problem, job: Job, mode: str, *, form: str = "") -> Network:
    """The config's network for the job's classes; its convolutions suit the platform and the mode unless given."""
    call = network_call(config)
    form = form or conv_form(jax.default_backend(), mode == "vmap")
    dtype = jnp.dtype(config.precision)
    if problem.tasks:
        widths = {task.group: task.width for task in problem.tasks}
        return accepting_bytes(build_tasks(call(), widths, parse(config.sharing, SHARING, "sharing")(), dtype, form))
    built = build(call(), max(1, len(problem.target.classes)), dtype, form)
    return accepting_bytes(job.strategy.adapt(built))


def make_recipe(task: Task, mode: str, placement: Placement) -> Recipe:
    """How a job trains."""
    config, method = task.config, task.job.method
    return Recipe(
        network=make_network(config, task.problem, task.job, mode),
        method=method,
        plan=config.forward_plan,
        optimizer=config.optimizer,
        total=task.job.steps,
        batch_size=config.batch_size,
        lam_schedule=config.lam_schedule or method.lam_schedule,
        lr_schedule=config.lr_schedule,
        clip_norm=config.clip_norm,
        place_batch=placement.batch(),
    )
