"""What a run takes: processor time by job, and of a step its time, floating-point operations and trained parameters."""

import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.files import write_atomically
from tl_jax.run.execute.execution import make_recipe
from tl_jax.run.kind import Kind
from tl_jax.run.plan.devices import Placement
from tl_jax.run.plan.types import Task
from tl_jax.training.freezing import resolve
from tl_jax.training.state import Data, State
from tl_jax.training.step import make_step
from tl_jax.training.trials import Programs, programs

STEPS = 8
"""Steps of every trial that are timed."""
Costs = dict[str, dict[str, Any]]
"""By job: seconds of processor time in all its starts, parameters, flops and milliseconds of a step."""


class Clock:
    """Watches a run: charges the processor time of this process to the job that it was spent on."""

    def __init__(self, path: Path):
        self._path, self._since = path, time.process_time()
        self.costs: Costs = read(path)

    @contextmanager
    def running(self) -> Iterator[None]:
        """A start of the run; one that is not left in order (a kill) makes its seconds incomplete."""
        unclosed = self.costs.setdefault("", {"open": 0})
        unclosed["open"] += 1
        self._keep()
        try:
            yield
        finally:
            unclosed["open"] -= 1
            self._keep()

    def watching(self, kind: Kind) -> Kind:
        """The same kind of transfer, watched."""

        def observe(task: Task, programs: Programs, states: State) -> Mapping[str, np.ndarray]:
            found = kind.observe(task, programs, states)
            self.charge(task.job.name)
            return found

        def features(task: Task, programs: Programs, states: State) -> Mapping[str, np.ndarray]:
            found = kind.features(task, programs, states)
            self.charge(task.job.name)
            self.note(task.job.name, {**of_step(task, task.data), "ms": _milliseconds(task, programs, states)})
            return found

        return kind._replace(observe=observe, features=features)

    def charge(self, job: str) -> None:
        """The time since the last charge is the job's."""
        now, mine = time.process_time(), self.costs.setdefault(job, {"seconds": 0.0})
        mine["seconds"] = mine.get("seconds", 0.0) + now - self._since
        self._since = now
        self._keep()

    def note(self, job: str, found: Mapping[str, Any]) -> None:
        """Keep what was measured of a job; what the measuring took is nobody's."""
        self.costs.setdefault(job, {"seconds": 0.0}).update(found)
        self._keep()
        self._since = time.process_time()

    def _keep(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(self._path, (json.dumps(self.costs, indent=1) + "\n").encode())


def read(path: Path) -> Costs:
    """What was measured of a run so far; nothing where the file is not there or not whole."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}


def of_step(task: Task, data: Data) -> dict[str, float]:
    """Of the last step of one trial: how many parameters it moves, and the compiler's count of operations.

    The count is that of the program before it is optimised, loops once.
    """
    factors = resolve(task.rules, task.shapes, max(task.job.steps - 1, 0))
    moved = sum(int(np.prod(shape.shape)) for path, shape in task.shapes.items() if factors[path])
    recipe = make_recipe(task, "map", Placement(None, False))
    begun = jax.eval_shape(programs(recipe, factors, "map").begin, task.starts(), data)
    one = jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape[1:], x.dtype), begun)
    counted: Any = jax.jit(make_step(recipe, factors)).lower(one, data).cost_analysis()
    found = {"flops": float(counted["flops"])} if counted and "flops" in counted else {}
    return {"parameters": moved, **found}


def _milliseconds(task: Task, built: Programs, states: State) -> float | None:
    """Processor time of a step of one trial, by the program that trained it; None where it runs on several devices or
    its sets stream."""
    if not task.job.method.trained or len(jax.devices()) > 1:
        return None
    data, idle = jax.device_put((task.data, built.idle(states, task.data)), jax.devices()[0])
    again = jax.tree.map(jnp.copy, states)
    again, _ = jax.block_until_ready(built.run(again, jnp.int32(task.job.steps + 1), data, idle))
    began = time.process_time()
    _, progress = jax.block_until_ready(built.run(again, jnp.int32(task.job.steps + 1 + STEPS), data, idle))
    taken, steps = time.process_time() - began, int(np.sum(progress.steps))
    return 1e3 * taken / steps if steps else None
