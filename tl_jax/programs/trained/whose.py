"""Which task the labels of new examples are of."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from tl_jax.balancing.tasks import TaskHead
from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain, changed, known
from tl_jax.data.match.like import labels_like
from tl_jax.programs.trained.answer import as_they_came


class Known(NamedTuple):
    """Labels [n] as numbers of a task's classes, or values, and as they came."""

    y: np.ndarray
    labels: np.ndarray


def by_task(found: Sequence[Domain], heads: Sequence[TaskHead]) -> tuple[dict[str, Known], list[str]]:
    """{task: its labels} of domains with the same examples, and what is to be said of those that are of no task.

    Raises UserError where their examples differ, or two have labels of one task.
    """
    labels: dict[str, Known] = {}
    notes = []
    for domain in found:
        if len(found) > 1 and not np.array_equal(domain.train.x, found[0].train.x):
            raise UserError(
                f"{domain.name} and {found[0].name} hold other examples: several specs are labels of several tasks for "
                "the same examples. Predict them one after the other."
            )
        if not known(domain.train.y).any():
            continue
        head, note = _whose(domain, heads)
        if head is not None and head.name in labels:
            raise UserError(f"{domain.name}: labels of the task {head.name} were given before.")
        if head is not None:
            y, said = labels_like(domain, changed(domain, classes=head.classes))
            labels[head.name] = Known(y, as_they_came(domain))
            note = "; ".join(filter(None, [note, said]))
        notes += [note] if note else []
    return labels, notes


def _whose(domain: Domain, heads: Sequence[TaskHead]) -> tuple[TaskHead | None, str]:
    """The task of a domain's labels: the only one that is asked, else of its name, else the only one that they fit."""
    named = [head for head in heads if len(heads) == 1 or head.name == domain.name]
    if named:
        return named[0], ""
    fit = [head for head in heads if _fits(domain.classes, head.classes)]
    if len(fit) == 1:
        return fit[0], f"labels of {domain.name} are taken for those of {fit[0].name}, the only task that they fit"
    many = f"may be of the tasks {', '.join(head.name for head in fit)}" if fit else "are of none of the tasks"
    return None, f"labels of {domain.name} {many}, so they are not scored: --task=NAME says whose they are"


def _fits(these: tuple[str, ...], classes: tuple[str, ...]) -> bool:
    return set(these) <= set(classes) if these and classes else not these and not classes
