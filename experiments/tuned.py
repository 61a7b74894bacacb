"""A run of several tasks with one swept value chosen for every strategy by the validation splits."""

import dataclasses
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tl_jax.kinds.multitask.kind import DEFAULTS as MULTITASK
from tl_jax.kinds.multitask.table import table
from tl_jax.run.report.table import Table

Records = Sequence[Mapping[str, Any]]
Key = tuple[str, str]


def chosen(records: Records, swept: str) -> tuple[list[Mapping[str, Any]], dict[Key, float]]:
    """The records of each strategy's best value, and {(strategy, task or ""): value}.

    Best: the greatest mean over the seeds of the mean over the tasks of their first metric on the validation split, at
    the best evaluated step. Single-task training chooses for every task. Ties go to the smaller value.
    """
    scores: dict[Key, dict[float, list[float]]] = {}
    for record in records:
        of_value = scores.setdefault(_key(record), {})
        of_value.setdefault(record["values"][swept], []).append(record["selectors"]["selected"]["score"])
    best = {key: max(sorted(found), key=lambda v: np.mean(found[v])) for key, found in scores.items()}
    return [record for record in records if record["values"][swept] == best[_key(record)]], best


def _key(record: Mapping[str, Any]) -> Key:
    return record["method"], record.get("task", "")


def chosen_table(records: Records, swept: str, settings: Mapping[str, Any]) -> Table:
    """The table of multi-task runs over the chosen records, with the value that every strategy chose.

    settings: fields of Config of the run (source, seeds, steps, network, forward_plan).
    """
    kept, best = chosen(records, swept)
    found = table(dataclasses.replace(MULTITASK, **settings), kept, {})
    values: dict[str, list[str]] = {}
    for (method, _), value in best.items():
        values.setdefault(method, []).append(f"{value:g}")
    head, *body = found.cells
    cells = [[head[0], swept, *head[1:]], *([row[0], " / ".join(values[row[0]]), *row[1:]] for row in body)]
    tried = ", ".join(f"{value:g}" for value in sorted({record["values"][swept] for record in records}))
    note = f" {swept} of {tried}: for every strategy, and every single task, that of the best validation score."
    return Table(cells, found.note + note)
