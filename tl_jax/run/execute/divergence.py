"""Trials that stop being finite: what is looked at, how it is said, and what becomes of the others.

A trial that diverges stands still from then on and is marked in every later record; the other trials of its job go on
as if it were not there. Only where none is left does the job end.
"""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from tl_jax.core.errors import DivergedError
from tl_jax.run.plan.types import Task
from tl_jax.run.store.rundir import MARKS as MARK
from tl_jax.training.state import State
from tl_jax.training.step import Progress

Reasons = list[str]
"""A trial's each: "step 41: term 'grad_norm' is nan", or "" as long as it is finite."""


def so_far(marks: Mapping[int, Sequence[str]], step: int, still: Sequence[bool]) -> Reasons:
    """The reasons that were known at a step, by {step: reasons}; still: which trials stand still in its states."""
    known = [at for at in marks if at <= step]
    reasons = marks[max(known)] if known else [""] * len(still)
    lost = f"before step {step} (its mark is lost)"
    return [str(reason) or (lost if dead else "") for reason, dead in zip(reasons, still, strict=True)]


def in_training(progress: Progress, step: int, reasons: Reasons) -> Reasons:
    """With the trials that a term, a parameter or a statistic has left since the last report."""
    found = list(reasons)
    for i, bad in enumerate(np.asarray(progress.bad_step)):
        if found[i]:
            continue
        if bad >= 0:
            term, value = _term({name: float(v[i]) for name, v in progress.at_bad_step.items()})
            found[i] = f"step {int(bad)}: term '{term}' is {value}"
        elif not progress.finite[i]:
            found[i] = f"step {step}: parameters or statistics are not finite"
    return found


def in_predictions(record: Mapping[str, np.ndarray], step: int, reasons: Reasons) -> Reasons:
    """With the trials whose stored predictions are not finite: {name: array [T, ...]}."""
    bad = lambda i: next((name for name, x in record.items() if not np.isfinite(x[i]).all()), "")
    return [
        old or (f"step {step}: predictions ({bad(i)}) are not finite" if bad(i) else "")
        for i, old in enumerate(reasons)
    ]


def _term(at: Mapping[str, float]) -> tuple[str, float]:
    """The first term that is not finite, a method's own before those that follow from it."""
    bad = [name for name in at if not math.isfinite(at[name])]
    named = [name for name in bad if name not in ("total", "grad_norm")] or bad
    return named[0], at[named[0]]


def standing_still(states: State, reasons: Reasons, total: int) -> State:
    """The states with diverged trials at the last step, beyond which nothing is trained."""
    dead = jnp.asarray([bool(reason) for reason in reasons])
    return states._replace(step=jnp.where(dead, total, states.step))


def check_one_is_left(task: Task, reasons: Reasons, progress: Progress, saved: int | None) -> None:
    """Raises DivergedError, naming the first trial, if every trial has diverged."""
    if not all(reasons):
        return
    at = {name: float(v[0]) for name, v in progress.at_bad_step.items()}
    finite = ", ".join(f"{name} {value:.3g}" for name, value in at.items() if value and math.isfinite(value))
    seed, values = task.job.trials[0]
    others = f" So have the {len(reasons) - 1} other trials." if len(reasons) > 1 else ""
    kept = f"Last finite checkpoint: step {saved}." if saved else "No checkpoint had been written yet."
    raise DivergedError(
        f"{task.job.name}, {reasons[0]} (seed {seed}, "
        + ", ".join(f"{k} {v:g}" for k, v in values)
        + f"; finite: {finite or 'none'}).{others} {kept} {_advice(task, reasons[0])}"
    )


def _advice(task: Task, reason: str) -> str:
    """What to try; before the first update it cannot be the learning rate."""
    if not reason.startswith("step 0:"):
        return f"Try --clip_norm=1 or a lower --lr than {dict(task.job.trials[0][1])['lr']:g}."
    largest = ", ".join(
        f"{domain.name} {float(np.abs(domain.train.x.astype(np.float64)).max()):.3g}" for domain in task.problem.domains
    )
    return (
        "Nothing had been updated yet, so the learning rate is not the cause: look at the data (largest |x|: "
        f"{largest}) and at the arguments of the method and the network."
    )


def described(record: Mapping[str, np.ndarray], trial: int) -> dict[str, str]:
    """{"diverged": reason} for results.json, by a job's last record; {} for a trial that stayed finite."""
    reason = str(record[MARK][trial]) if MARK in record else ""
    return {MARK: reason} if reason else {}


def alive(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The records of trials that stayed finite."""
    return [record for record in records if MARK not in record]


def remark(group: Sequence[Mapping[str, Any]]) -> str:
    """'1 of 3 trials diverged: seed 0 at step 41: term 'grad_norm' is nan' of a row's records, or ''."""
    dead = [record for record in group if MARK in record]
    if not dead:
        return ""
    return f"{len(dead)} of {len(group)} trials diverged: seed {dead[0]['seed']} at {dead[0][MARK]}"


def note(records: Sequence[Mapping[str, Any]]) -> str:
    """A sentence for under a table without remarks."""
    dead = [f"{r['method']}, seed {r['seed']}, at {r[MARK]}" for r in records if MARK in r]
    return f" Diverged and left out: {'; '.join(dead)}." if dead else ""
