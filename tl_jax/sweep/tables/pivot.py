"""A table of means from rows of trials: rows by some names, columns by others, settings chosen without test labels."""

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from scipy.stats import t as student

from tl_jax.core.errors import UserError, unknown
from tl_jax.sweep.tables.choose import BY, CRITERION, NO_SETTING, best, chosen_by
from tl_jax.sweep.tables.collect import Row, columns

USUAL = ("target/accuracy", "target/r2", "target/knn_accuracy")
LOWER = ("rmse", "mae", "loss", "ece", "nll", "brier", "error", "ms", "alignment", "uniformity")
"""Metrics of which less is better, and so are errors under each corruption, "error/fog@5"."""
Key = tuple[Any, ...]


class Asked(NamedTuple):
    """What a table is to show; score: "selected/target/accuracy", or "" for the usual one; best: names whose values are
    chosen for each cell, choose: by whom (see `choose.py`; none: the run's criterion), each in rows of its own where
    they are several."""

    rows: tuple[str, ...] = ("method",)
    columns: tuple[str, ...] = ("pair",)
    best: tuple[str, ...] = ()
    score: str = ""
    choose: tuple[str, ...] = ()


class Cell(NamedTuple):
    """scores: {seed: score} of the trials that stayed finite; diverged: how many did not; chosen: {name: value} of
    `best`; tried: how many settings there were."""

    scores: dict[int, float]
    diverged: int
    chosen: dict[str, Any]
    tried: int
    digests: tuple[str, ...]

    @property
    def mean(self) -> float | None:
        """None of none."""
        return statistics.mean(self.scores.values()) if self.scores else None

    @property
    def deviation(self) -> float | None:
        """The sample standard deviation; None of fewer than two."""
        return statistics.stdev(self.scores.values()) if len(self.scores) > 1 else None

    def half_width(self, level: float) -> float | None:
        """Of the confidence interval of the mean, t_{n-1} s / sqrt(n); None of fewer than two."""
        if self.deviation is None:
            return None
        n = len(self.scores)
        return float(student.ppf((1 + level) / 2, n - 1)) * self.deviation / math.sqrt(n)


class Pivot(NamedTuple):
    """cells: by (row, column); a combination without trials is not in it. criteria: those that the runs selected by."""

    asked: Asked
    rows: list[Key]
    columns: list[Key]
    cells: Mapping[tuple[Key, Key], Cell]
    criteria: tuple[str, ...]

    @property
    def higher(self) -> bool:
        """Whether more is better."""
        return _higher(self.asked.score)


def pivot(rows: Sequence[Row], asked: Asked) -> Pivot:
    """Every trial in one cell. Raises UserError for unknown names, and where a cell would mix settings or have a seed
    twice: no mean is made of what differs."""
    known = columns(rows)
    named = [*asked.rows, *asked.columns, *asked.best]
    if twice := [name for name in named if named.count(name) > 1]:
        raise UserError(f"'{twice[0]}' is named twice: it is one of the rows, or the columns, or chosen by --best.")
    for name in named:
        if name not in known or "/" in name:
            raise unknown("name of a setting", name, [name for name in known if "/" not in name])
    asked = asked._replace(score=_score(asked.score, known))
    if asked.choose:
        rows = chosen_by(rows, asked.choose, asked.score, _higher(asked.score))
        asked = asked._replace(rows=(*asked.rows, *[BY] * (len(asked.choose) > 1)))
    groups: dict[tuple[Key, Key], list[Row]] = {}
    for row in rows:
        at = (_key(row, asked.rows), _key(row, asked.columns))
        groups.setdefault(at, []).append(row)
    cells = {at: _cell(_where(asked, at), group, asked) for at, group in groups.items()}
    criteria = dict.fromkeys(row["selected/criterion"] for row in rows if "selected/criterion" in row)
    of = lambda i: list(dict.fromkeys(at[i] for at in groups))
    return Pivot(asked, of(0), of(1), cells, tuple(criteria))


def _score(score: str, known: Sequence[str]) -> str:
    able = [name for name in known if "/" in name]
    usual = [name for metric in USUAL for selector in ("selected", "last") if (name := f"{selector}/{metric}") in able]
    if not score and usual:
        return usual[0]
    if score not in able:
        raise unknown("score", score, able) if score else UserError(f"Name a --score: {', '.join(able) or 'none'}.")
    return score


def _higher(score: str) -> bool:
    of, metric = ["", *score.split("/")][-2:]
    return metric not in LOWER and not (of == "error" and ("@" in metric or metric == "none"))


def _key(row: Mapping[str, Any], names: Iterable[str]) -> Key:
    return tuple(row.get(name) for name in names)


def _where(asked: Asked, at: tuple[Key, Key]) -> str:
    pairs = zip((*asked.rows, *asked.columns), (*at[0], *at[1]), strict=True)
    return ", ".join(f"{name} {value}" for name, value in pairs)


def _cell(where: str, group: Sequence[Row], asked: Asked) -> Cell:
    settings: dict[Key, list[Row]] = {}
    for row in group:
        settings.setdefault(_key(row, asked.best), []).append(row)
    for trials in settings.values():
        _check_one_setting(where, trials)
    by = group[0].get(BY, CRITERION)
    chosen = best(where, by, settings) if len(settings) > 1 else next(iter(settings))
    trials = settings[chosen]
    scores = {row["seed"]: row[asked.score] for row in trials if row.get(asked.score) is not None}
    dead = sum("diverged" in row for row in trials)
    digests = tuple(dict.fromkeys(row["digest"] for row in trials))
    return Cell(scores, dead, dict(zip(asked.best, chosen, strict=True)), len(settings), digests)


def _check_one_setting(where: str, trials: Sequence[Row]) -> None:
    """Raises UserError where trials differ in more than their seed, or have it twice."""
    names = [name for name in columns(trials) if name not in NO_SETTING and "/" not in name]
    values = {name: sorted({str(row.get(name)) for row in trials}) for name in names}
    if differ := [name for name in names if len(values[name]) > 1]:
        said = "; ".join(f"{name} ({', '.join(values[name][:5])})" for name in differ)
        raise UserError(
            f"{where}: there are trials of several settings, which no mean is made of: {said}. Name them in --rows, "
            f"--columns or --best, or keep one value, as in --where={differ[0]}={values[differ[0]][0]}."
        )
    seeds: dict[int, Row] = {}
    for row in trials:
        if other := seeds.get(row["seed"]):
            where = f"{where}: seed {row['seed']} is there twice, in {other['run_dir']} and {row['run_dir']}"
            raise UserError(f"{where}. Name one of them.")
        seeds[row["seed"]] = row


def mean_of(pivoted: Pivot, row: Key) -> float | None:
    """The mean over the columns; None where one is missing or has a trial that diverged."""
    cells = [pivoted.cells.get((row, column)) for column in pivoted.columns]
    means = [cell.mean for cell in cells if cell and not cell.diverged and cell.mean is not None]
    return statistics.mean(means) if len(means) == len(cells) else None
