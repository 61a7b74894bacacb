"""What every criterion would have chosen in a finished run, and how far from the best that was: from stored records."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from tl_jax.core.errors import UserError, require
from tl_jax.evaluation.label_free.criteria import Criterion, allows, criterion
from tl_jax.evaluation.label_free.record import Record
from tl_jax.evaluation.label_free.selection import refusal
from tl_jax.kinds.predicting import observe, records, unscored
from tl_jax.kinds.predicting.scoring import Scoring, scoring
from tl_jax.kinds.table import kind_of, prepare
from tl_jax.naming.own_code import is_own
from tl_jax.run.execute import divergence
from tl_jax.run.finished import config_of
from tl_jax.run.plan.types import Options, Setup, Task
from tl_jax.run.report.table import Table, mean_std
from tl_jax.run.store.rundir import RunDirectory

ENSEMBLE = "ensemble"
"""The mean rank that all criteria give a candidate."""


class Grid(NamedTuple):
    """Every candidate of a job, [trials, steps]: scores by criterion (NaN: refused), and what labels say of it.

    groups [trials]: the seed; trials of one seed differ in swept values.
    """

    scores: Mapping[str, np.ndarray]
    test: np.ndarray
    validation: np.ndarray
    groups: np.ndarray


def select(root: Path, names: Sequence[str], data_dir: str = "") -> Table:
    """A row for each job and criterion: the accuracy of its choice, the regret to the oracle's, the rank correlation.

    names: criteria, also 'mine.py:f'; () for all that the records allow. Raises UserError for a directory that is no
    run, a run of a kind that has no such records, a target without known labels, and a run without two evaluations.
    """
    config = config_of(root)
    setup = prepare(config, Options(data_dir=data_dir, devices=1), {})
    if kind_of(config).observe is not observe.observe:
        raise UserError(f"{root} is a run of {config.kind}: it stores no predictions to choose from.")
    return judged(root, setup, names)


def judged(root: Path, setup: Setup, names: Sequence[str]) -> Table:
    """`select` of a run whose data were read; raises UserError as it does."""
    if unscored.is_unscored(setup.problem):
        raise UserError(f"{root}: no label of the target is known, so no choice can be judged.")
    by = scoring(setup.problem)
    cells, swept = [], False
    for task in setup.tasks:
        grid = gathered(task, RunDirectory(root), names, by)
        if grid is not None:
            several = len(set(grid.groups)) < len(grid.groups)
            swept |= several
            cells += _rows(task.job.name, grid, several)
    if not cells:
        raise UserError(f"{root} has no two evaluations to choose between yet.")
    metric = by.shown
    head = [
        "method",
        "criterion",
        metric,
        "regret",
        "rank correlation",
        f"{metric} (values too)",
        "regret (values too)",
    ]
    keep = [i for i in range(len(head)) if swept or i < 5]
    return Table([[row[i] for i in keep] for row in (head, *cells)], _note(setup, metric, swept))


def gathered(task: Task, directory: RunDirectory, names: Sequence[str], by: Scoring) -> Grid | None:
    """Every candidate of a job with its scores; None with fewer than two evaluations. Diverged trials are left out."""
    stored = directory.records(task.job.name)
    steps = sorted(stored)
    alive = [i for i in range(len(task.job.trials)) if steps and not divergence.described(stored[steps[-1]], i)]
    if len(steps) < 2 or not alive:
        return None
    problem = task.problem
    of = lambda i, step: records.of_trial(stored[step], i)
    labels = problem.source_labels()
    if of(alive[0], steps[0]).target is None and not problem.unseen:
        raise UserError(
            f"{directory.root}: its evaluations keep no predictions of the target's training examples, which "
            "criteria read (--select=target_val keeps none). Train it with another --select."
        )
    seen = {(i, step): of(i, step).record(labels) for i in alive for step in steps}
    over = lambda f: np.array([[f(i, step) for step in steps] for i in alive], float)
    first = seen[alive[0], steps[0]]
    able = names or [name for name in by.criteria if allows(first, name)]
    scores = {}
    for name in able:
        of_record = _criterion(name, problem.values, by)
        scores[name] = over(lambda i, step, name=name, f=of_record: _score(name, f, seen[i, step]))
    test = over(lambda i, step: by.of(of(i, step).test.logits, problem.target.test.y))
    known = over(lambda i, step: _or_nan(by.of(of(i, step).validation.logits, problem.target.validation.y)))
    if len(scores) > 1:
        scores = {**scores, ENSEMBLE: _ensemble(scores)}
    return Grid(scores, test, known, np.array([task.job.trials[i][0] for i in alive]))


def _criterion(name: str, values: bool, by: Scoring) -> Criterion:
    """A criterion by its name. Raises UserError for what there is not, or is of classes where labels are values."""
    if values and not is_own(name):
        require("selection criterion of values", name, by.criteria)
    return by.criteria.get(name) or criterion(name)


def _score(name: str, of_record: Criterion, record: Record) -> float:
    try:
        score = float(of_record(record))
    except ValueError as error:
        raise UserError(f"{name}: {error}. --select={name} keeps what it needs when a run is made.") from None
    return float("nan") if refusal(record, score) else score


def _or_nan(score: float | None) -> float:
    return float("nan") if score is None else score


def _ensemble(scores: Mapping[str, np.ndarray]) -> np.ndarray:
    """Minus the mean rank over the criteria, 1 for the best; what one refuses is last there."""
    from scipy.stats import rankdata

    ranks = [rankdata(-np.nan_to_num(x, nan=-np.inf).ravel()).reshape(x.shape) for x in scores.values()]
    return -np.mean(ranks, 0)


def _rows(job: str, grid: Grid, several: bool) -> list[list[str]]:
    oracle = chosen(grid.validation, grid.test, grid.groups)
    found = []
    for name, scores in (*grid.scores.items(), ("last", _last(grid.test))):
        steps, values = chosen(scores, grid.test, grid.groups)
        kept = [
            mean_std(list(steps)),
            mean_std(list(oracle[0] - steps)),
            "" if name == "last" else f"{_correlation(scores, grid.test):.2f}",
        ]
        over = [mean_std(list(values)), mean_std(list(oracle[1] - values))] if several and name != "last" else ["", ""]
        found.append([job, name, *kept, *over])
    best = [mean_std(list(oracle[0])), "", "", mean_std(list(oracle[1])) if several else "", ""]
    return [*found, [job, "oracle (target labels)", *best]]


def _last(test: np.ndarray) -> np.ndarray:
    return np.broadcast_to(np.arange(test.shape[1], dtype=float), test.shape)


def chosen(scores: np.ndarray, test: np.ndarray, groups: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The test score of the choice over steps, a trial each, and over steps and swept values, a seed each.

    scores, test [trials, steps]. Of equal scores the later step; where all are refused, the last step.
    """
    ranked = np.where(np.isnan(scores), -np.inf, scores)
    step = ranked.shape[1] - 1 - ranked[:, ::-1].argmax(1)
    own = np.arange(len(test))
    by_trial, score = test[own, step], ranked[own, step]
    best = [own[groups == seed][score[groups == seed].argmax()] for seed in dict.fromkeys(groups.tolist())]
    return by_trial, by_trial[best]


def _correlation(scores: np.ndarray, test: np.ndarray) -> float:
    """Spearman's, over all candidates that are not refused."""
    from scipy.stats import rankdata

    kept = np.isfinite(scores)
    if kept.sum() < 3 or np.ptp(scores[kept]) == 0 or np.ptp(test[kept]) == 0:
        return float("nan")
    return float(np.corrcoef(rankdata(scores[kept]), rankdata(test[kept]))[0, 1])


def _note(setup: Setup, metric: str, swept: bool) -> str:
    values = " values too: the choice is over the swept values as well, a seed each." if swept else ""
    return (
        f"{metric} on the target's test split of what each criterion chooses over the stored steps, a trial each; "
        "regret: how much less than the oracle's choice, which is by the target's validation labels, so that it can be "
        "negative; "
        f"rank correlation: Spearman's, of score and {metric} over all stored steps and trials.{values} ensemble: the "
        "mean rank of all. This table reads test labels: it judges criteria, and is no way to choose."
    )
