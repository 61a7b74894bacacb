"""Several tasks, one network: a term for each of them."""

from collections.abc import Sequence
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.balancing.contract import Balance
from tl_jax.balancing.tasks import TaskHead, task_loss
from tl_jax.core.types import Array, At, Batch, Outputs
from tl_jax.methods.contract import Balancing, Method, Own, Terms, View


def multitask(tasks: Sequence[TaskHead], balance: Balance | None = None) -> Method:
    """min sum_k w_k L_k, L_k the mean loss of task k over the labelled rows of its own input.

    With a balance, the strategy makes one step of the gradients of the tasks that the batch has labels of. Without,
    w_k = [k = values["task"]]: a model of one task, several of which are trials of one program. Caruana 1997,
    doi:10.1023/A:1007379606734.
    """
    names = [task.name for task in tasks]
    runs = _runs(tasks)
    inputs = [[task.name for task in tasks if task.input == i] for i in sorted({task.input for task in tasks})]

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        logits, losses = batch.split(out["source"].logits), {}
        for run in runs:
            first, width, last = run[0], run[0].width, run[-1]
            z = logits[first.input][:, first.begin : last.end]
            y = batch.sources[first.input].y[:, first.column : last.column + 1]
            each = jax.vmap(partial(task_loss, first.labels), 1)(z.reshape(len(z), len(run), width), y)
            losses |= {task.name: loss for task, loss in zip(run, each, strict=True)}
        return Terms({name: losses[name] for name in names})

    def present(batch: Batch) -> Array:
        known = [(~jnp.isnan(source.y)).any(0) for source in batch.sources]
        begin = np.cumsum([0, *(len(one) for one in known)])
        return jnp.concatenate(known)[np.array([begin[task.input] + task.column for task in tasks])]

    shared = {"views": {"source": View("source")}, "lam": None}
    if balance is not None:
        return Method(terms, balancing=Balancing(balance, tuple(names), tuple(map(tuple, inputs)), present), **shared)
    alone = lambda at: {name: (at.values["task"] == i).astype(float) for i, name in enumerate(names)}
    return Method(terms, weights=alone, values={"task": 0.0}, **shared)


def _runs(tasks: Sequence[TaskHead]) -> list[list[TaskHead]]:
    """Tasks alike side by side, in labels and in logits: one operation computes the losses of each list."""
    runs: list[list[TaskHead]] = []
    for task in tasks:
        before = runs[-1][-1] if runs else None
        alike = before and (before.labels, before.width, before.input) == (task.labels, task.width, task.input)
        if before and alike and before.column + 1 == task.column:
            runs[-1].append(task)
        else:
            runs.append([task])
    return runs
