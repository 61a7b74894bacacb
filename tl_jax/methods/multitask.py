"""Several tasks, one network: a term for each of them."""

from collections.abc import Sequence

from tl_jax.core.balance import Balance
from tl_jax.core.tasks import TaskHead, task_loss
from tl_jax.methods.base import Balancing, Method, Terms, View


def multitask(tasks: Sequence[TaskHead], balance: Balance | None = None) -> Method:
    """min sum_k w_k L_k, L_k the mean loss of task k over the labelled rows of its own input.

    With a balance, the strategy makes one step of the K gradients. Without, w_k = [k = values["task"]]: a model
    of one task, several of which are trials of one program. Caruana 1997, doi:10.1023/A:1007379606734.
    """
    names = [task.name for task in tasks]
    inputs = [[task.name for task in tasks if task.input == i] for i in sorted({task.input for task in tasks})]

    def terms(own, out, batch, at):
        logits, losses, begin = out["source"].logits, {}, [0]
        for source in batch.sources:
            begin.append(begin[-1] + len(source.y))
        for task in tasks:
            rows = slice(begin[task.input], begin[task.input + 1])
            mine = logits[rows, task.begin : task.end]
            losses[task.name] = task_loss(task.kind, mine, batch.sources[task.input].y[:, task.column])
        return Terms(losses)

    shared = {"views": {"source": View("source")}, "lam": None}
    if balance is not None:
        return Method(terms, balancing=Balancing(balance, tuple(names), tuple(map(tuple, inputs))), **shared)
    alone = lambda at: {name: (at.values["task"] == i).astype(float) for i, name in enumerate(names)}
    return Method(terms, weights=alone, values={"task": 0.0}, **shared)
