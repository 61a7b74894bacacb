"""By whom a setting is chosen: the run's own criterion, domains left out of training, or the target's labels."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from tl_jax.core.errors import UserError
from tl_jax.sweep.asked.inner import LEFT_OUT
from tl_jax.sweep.tables.collect import IDENTITY, Row, columns

CRITERION, ORACLE = "criterion", "oracle"
CHOICES: Mapping[str, str] = {
    CRITERION: "the mean of the criterion's own score over the seeds, without test labels",
    LEFT_OUT: "the score on each of the sources where it was left out of training, their mean (Gulrajani & Lopez-Paz "
    "2021), without an example of the target",
    ORACLE: "the target's validation labels, a bound that nobody without them has",
}
"""{who chooses: in words}."""
BY = "chosen by"
SCORES: Mapping[str, str] = {CRITERION: "selected/score", LEFT_OUT: "left_out/score", ORACLE: "oracle/score"}
"""{who chooses: the column of a trial's score, higher is better}."""
NO_SETTING = {*IDENTITY, "seed", "diverged", "source", "target"}
"""Columns that do not tell one setting from another; `pair` stands for source and target."""
Key = tuple[Any, ...]


def chosen_by(rows: Sequence[Row], choices: Sequence[str], score: str, higher: bool) -> list[Row]:
    """A row a trial and choice, under BY; runs that serve the choice by domains left out are none of their own.

    score: the column that is shown; of the oracle's choice it is that at the oracle's step.
    """
    rows = _with_left_out(rows, score, 1 if higher else -1)
    at_oracle = f"{ORACLE}/{score.partition('/')[2]}"
    shown = lambda row, by: {**row, score: row.get(at_oracle)} if by == ORACLE else row
    return [{**shown(row, by), BY: by} for by in choices for row in rows]


def best(where: str, by: str, settings: Mapping[Key, Sequence[Row]]) -> Key:
    """The setting with the greatest mean of its score by whoever chooses.

    One of which a trial diverged, or has no score, is chosen only where all are so. Raises UserError where none has.
    """
    means: dict[Key, tuple[bool, float]] = {}
    criteria = set()
    for key, trials in settings.items():
        found = [row[SCORES[by]] for row in trials if row.get(SCORES[by]) is not None]
        criteria |= {row["selected/criterion"] for row in trials if "selected/criterion" in row}
        if found:
            means[key] = (len(found) == len(trials), statistics.mean(found))
    if by == CRITERION and len(criteria) > 1:
        raise UserError(
            f"{where}: runs that selected by different criteria ({', '.join(sorted(criteria))}) cannot be "
            "ranked by one of them. Collect them apart."
        )
    if not means and all("diverged" in row for trials in settings.values() for row in trials):
        return next(iter(settings))
    if not means:
        raise UserError(f"{where}: {LACKING[by]}, so --best cannot choose.")
    return max(means, key=lambda key: means[key])


LACKING: Mapping[str, str] = {
    CRITERION: "no criterion without test labels has scored these trials",
    LEFT_OUT: f"there are no runs with each source left out (tl-jax sweep ... --choose={LEFT_OUT} trains them)",
    ORACLE: "no validation label of the target is known, or the runs are of an earlier version",
}


def apart(rows: Sequence[Row]) -> tuple[list[Row], list[Row]]:
    """The rows, and those of runs that serve others: their domains are the sources of one, of which one was left out
    and is the target."""
    trained = {frozenset(_sources(row)) for row in rows}
    found: tuple[list[Row], list[Row]] = [], []
    for row in rows:
        found[frozenset((*_sources(row), row["target"])) in trained].append(row)
    return found


def _with_left_out(rows: Sequence[Row], score: str, sign: int) -> list[Row]:
    """The rows but for those that serve others, with what the latter say of them, seed by seed: their mean where there
    is one for each of the sources, all finite."""
    names = [name for name in columns(rows) if "/" not in name and name not in NO_SETTING - {"seed"} | {"pair"}]
    key = lambda row, domains: (frozenset(domains), *(str(row.get(name)) for name in names))
    outer, inner = apart(rows)
    said: dict[Key, dict[str, float | None]] = {}
    for row in inner:
        said.setdefault(key(row, (*_sources(row), row["target"])), {})[row["target"]] = row.get(score)
    found = []
    for row in outer:
        each = [said.get(key(row, _sources(row)), {}).get(source) for source in _sources(row)]
        whole = [sign * one for one in each if one is not None]
        found.append({**row, SCORES[LEFT_OUT]: statistics.mean(whole)} if len(whole) == len(each) > 1 else row)
    return found


def _sources(row: Row) -> list[str]:
    return row["source"].split("+")
