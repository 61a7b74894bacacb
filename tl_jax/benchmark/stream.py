"""Test time: source models go through the target's test examples once, as a stream, and learn from it."""

import time
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.benchmark import costs
from tl_jax.core.batching import some
from tl_jax.core.errors import UserError
from tl_jax.data.domain import known
from tl_jax.evaluation.metrics import accuracy
from tl_jax.methods import TEST_TIME, made
from tl_jax.naming.calls import parse
from tl_jax.run.execute.execution import make_recipe
from tl_jax.run.finished import began_from
from tl_jax.run.plan.devices import Placement
from tl_jax.run.plan.jobs import make_job
from tl_jax.run.plan.setup import make_task
from tl_jax.run.plan.types import Part, Setup, Task
from tl_jax.training.freezing import resolve
from tl_jax.training.state import Data
from tl_jax.training.stream import make_stream
from tl_jax.training.trials import over_trials, programs


class Streamed(NamedTuple):
    """records: one a trial, as of a run; cost: what it took, as in `costs`; why: it could not be done, in words."""

    records: list[dict[str, Any]]
    cost: dict[str, Any]
    why: str = ""


def streamed(text: str, setup: Setup, root: Path) -> Streamed:
    """The stream of a method of test time, from the models that a finished run of one job left in `root`.

    Every test example is predicted once, in an order that is drawn once, before a step has seen it. The learning rate
    is the method's own and stays; where no parameter would move nothing is done.
    """
    began = time.process_time()
    task = _task(text, setup)
    factors = resolve(task.rules, task.shapes)
    if not any(factors.values()):
        return Streamed([], {}, "no layer of the network normalises: nothing to adapt")
    test = task.problem.target.test
    rows = some(len(test.y), len(test.y))
    x, data = jnp.asarray(test.x[rows]), Data((), jnp.asarray(test.x))
    recipe = make_recipe(task, "map", Placement(None, False))._replace(lr_schedule="constant")
    states = programs(recipe, factors, "map").begin(task.starts(began_from(root, task, setup.weights)), data)
    go = jax.jit(over_trials(make_stream(recipe, factors), "map"))
    logits = np.asarray(jax.block_until_ready(go(states, x)).logits)
    middle = time.process_time()
    jax.block_until_ready(go(states, x))
    steps = len(task.job.trials) * task.job.steps
    cost = {"seconds": middle - began, "ms": 1e3 * (time.process_time() - middle) / steps}
    labelled = known(test.y[rows])
    shared = setup.config.described(text)
    records = [
        {
            **shared,
            "seed": seed,
            "values": dict(values),
            "selectors": {
                "last": {"step": task.job.steps, "target/accuracy": accuracy(z[labelled], test.y[rows][labelled])}
            },
        }
        for (seed, values), z in zip(task.job.trials, logits, strict=True)
    ]
    return Streamed(records, cost | costs.of_step(task, data))


def _task(text: str, setup: Setup) -> Task:
    """The stream as a job that begins from the run's: as many steps as it has batches."""
    (source,) = setup.tasks
    size, n = setup.config.batch_size, len(source.problem.target.test.y)
    if n < size:
        raise UserError(f"--batch_size={size}: {source.problem.target.name} has {n} test examples. Use at most {n}.")
    job = make_job(setup.config, text, made(parse(text, TEST_TIME, "row"), TEST_TIME))
    job = job.__class__(text, job.method, job.trials, -(-n // size), source.job)
    return make_task(Part(setup.config, source.problem, job))
