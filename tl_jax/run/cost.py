"""What a run costs: a step and an evaluation of each of its jobs, timed as they would run here; nothing is written."""

import contextlib
import statistics
import time
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from tl_jax.run.execute.begin import from_file, head_of, on_features, pretrained
from tl_jax.run.execute.execution import execution
from tl_jax.run.kind import Kind
from tl_jax.run.plan.types import Options, Setup, Task
from tl_jax.run.settings.config import Config
from tl_jax.training.predict import averaged
from tl_jax.training.state import State

STEPS, REPEATS = 4, 3


class JobCost(NamedTuple):
    """Seconds of a step of all trials of a job, and of an evaluation; hidden: another job begins from it."""

    step: float
    evaluation: float
    trained: bool = True
    hidden: bool = False

    def seconds(self, config: Config, steps: int) -> float:
        """Of so many steps (fewer than the config's where a run is held) and their evaluations."""
        if not self.trained:
            return self.evaluation
        if self.hidden:
            steps = config.pretrain_steps or config.steps
        every = config.eval_every or max(1, (steps if self.hidden else config.steps) // 10)
        return steps * self.step + -(-steps // every) * self.evaluation


def measured(kind: Kind, setup: Setup) -> list[JobCost]:
    """The costs of every job of a run, the hidden ones too."""
    found, models = [], dict[str, Any]()
    for task in setup.tasks:
        model = from_file(task, setup.weights)
        if task.start is not None:
            name = task.start.job.name
            if name not in models:
                one, states = _timed(kind, task.start, setup.options, from_file(task.start, setup.weights))
                models[name] = averaged(states).params, states.stats
                found.append(one._replace(hidden=True))
            model = pretrained(task, models[name])
        if task.job.strategy.cached:
            task, model = on_features(task, model), head_of(task, model)
        found.append(_timed(kind, task, setup.options, model)[0])
    return found


def _timed(kind: Kind, task: Task, options: Options, model: Any) -> tuple[JobCost, State]:
    """A job's costs, and its states after the steps that were timed."""
    how = execution(task, options, None)
    states = how.placement.state(how.programs.begin(task.starts(model), how.data))
    taken = [0.0]
    if task.job.method.trained:
        with contextlib.closing(how.feed(0)) as windows:
            end, data = next(windows)  # of a set that streams the first window, which may be short
            size = max(1, min(STEPS, (end - 1) // REPEATS))
            progress = how.placement.state(how.programs.idle(states, data))
            taken = []
            for i in range(1 + REPEATS):
                began = time.perf_counter()
                states, progress = how.programs.run(states, jnp.int32(1 + i * size), data, progress)
                jax.block_until_ready(states)
                taken.append((time.perf_counter() - began) / size)
            del taken[0], data  # of the first the most is compiling
    kind.observe(task, how.programs, states)
    began = time.perf_counter()
    kind.observe(task, how.programs, states)
    cost = JobCost(statistics.median(taken), time.perf_counter() - began, task.job.method.trained)
    return cost, states
