"""What a run left behind, as models again."""

from pathlib import Path
from typing import Any

import jax

from tl_jax.core.errors import UserError
from tl_jax.run.execute.begin import from_file, pretrained
from tl_jax.run.execute.execution import execution
from tl_jax.run.plan.types import Options, Task
from tl_jax.run.plan.weights import Weights
from tl_jax.run.store.checkpoints import Checkpoints
from tl_jax.run.store.names import slug
from tl_jax.run.store.rundir import RunDirectory
from tl_jax.training.freezing import carry_over, resolve
from tl_jax.training.state import State


def last(root: Path, task: Task, model: Any) -> tuple[int, State]:
    """The step and the states [T, ...] of a task's last checkpoint; model: something like what its trials began from.

    Raises UserError where there is none.
    """
    mode = RunDirectory(root).manifest(task.job.name).mode
    if mode is None or not (root / "checkpoints" / slug(task.job.name)).is_dir():
        raise UserError(f"{root} has no checkpoint of {task.job.name}: it has not been trained there.")
    how = execution(task, Options(devices=1), mode)
    factors = resolve(task.rules, task.shapes, max(task.job.steps - 1, 0))
    like = jax.eval_shape(how.programs.begin, task.starts(model), how.data)
    if factors != how.factors:
        fresh = jax.eval_shape(how.build(factors).renew, like)
        like = like._replace(opt=jax.eval_shape(carry_over, fresh.opt, like.opt))
    checkpoints = Checkpoints(root, task.job.name, read_only=True)
    try:
        step = checkpoints.last_whole()
        if step is None:
            raise UserError(
                f"{root} has no whole checkpoint of {task.job.name}: none is complete, or they are damaged. Nothing "
                "was loaded. If the run has ended, its weights are lost: train it again in a new --run_dir."
            )
        return step, checkpoints.restore(step, like)
    finally:
        checkpoints.close()


def began_from(root: Path, task: Task, weights: Weights | None) -> Any:
    """The (params, stats) [T, ...] that a task's trials began from: of the file, of the run's hidden job, or None."""
    if task.start is None:
        return from_file(task, weights)
    states = last(root, task.start, from_file(task.start, weights))[1]
    return pretrained(task, (states.params, states.stats))
