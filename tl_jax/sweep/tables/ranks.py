"""Rows ranked in every column: mean ranks, Friedman's test of them, and the critical difference of Nemenyi."""

import math
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.stats import friedmanchisquare, rankdata, studentized_range

from tl_jax.core.errors import UserError
from tl_jax.sweep.tables.pivot import Key, Pivot
from tl_jax.sweep.tables.words import MISSING, listed

ALPHA = 0.05
MANY = 10
"""Columns from which Friedman's statistic is close to chi-squared (Demsar 2006)."""


class Ranked(NamedTuple):
    """ranks: {row: its mean rank, 1 is the best, equal ones share}; over: the columns; left: those in which some row
    lacks a trial, which no rank is of."""

    ranks: Mapping[Key, float]
    over: Sequence[Key]
    left: Sequence[Key]
    names: Sequence[str]

    def shown(self, row: Key) -> str:
        """A table's cell."""
        return f"{self.ranks[row]:.2f}" if self.over else MISSING

    @property
    def note(self) -> str:
        """What the ranks are of."""
        out = f"; left out, as some row has missing or diverged trials: {listed(self.left, self.names)}" * bool(
            self.left
        )
        return f"rank: mean over {len(self.over)} columns, 1 is the best{out}."


def ranked(pivoted: Pivot) -> Ranked:
    """Mean ranks over the columns in which every row has all its trials."""
    over = [column for column in pivoted.columns if _whole(pivoted, column)]
    left = [column for column in pivoted.columns if column not in over]
    means = _table(pivoted, over)
    ranks = (
        rankdata(-means if pivoted.higher else means, axis=1).mean(0) if over else np.full(len(pivoted.rows), np.nan)
    )
    return Ranked(dict(zip(pivoted.rows, ranks.tolist(), strict=True)), over, left, pivoted.asked.columns)


def _whole(pivoted: Pivot, column: Key) -> bool:
    """Whether every row has a mean in a column, over as many trials, none of which diverged."""
    cells = [pivoted.cells.get((row, column)) for row in pivoted.rows]
    counts = {len(cell.scores) if cell and not cell.diverged else 0 for cell in cells}
    return len(counts) == 1 and 0 not in counts


def _table(pivoted: Pivot, columns: Sequence[Key]) -> np.ndarray:
    """Means [columns, rows], rounded so that equal ones stay equal however they were summed."""
    return np.array([[pivoted.cells[row, column].mean for row in pivoted.rows] for column in columns]).round(12)


class Friedman(NamedTuple):
    """statistic, p: of Friedman's test that no row differs; critical: the difference of mean ranks from which two rows
    differ (Nemenyi), at ALPHA."""

    ranked: Ranked
    statistic: float
    p: float
    critical: float

    @property
    def sentence(self) -> str:
        """What the test says."""
        k, n = len(self.ranked.ranks), len(self.ranked.over)
        by = f"Friedman's test of {k} rows over {n} columns: chi2({k - 1}) = {self.statistic:.2f}, p = {self.p:.3g}"
        far = f"Two rows differ (Nemenyi, {ALPHA:g}) where their mean ranks are {self.critical:.2f} or more apart"
        none = "No difference between the rows is shown, so no two of them are to be told apart"
        few = f" With fewer than {MANY} columns the p value is rough." * (n < MANY)
        out = f" Left out, as some row has missing or diverged trials: {listed(self.ranked.left, self.ranked.names)}."
        return f"{by}. {far if self.p < ALPHA else none}.{few}{out * bool(self.ranked.left)}"

    @property
    def order(self) -> list[Key]:
        """The rows from the best."""
        return sorted(self.ranked.ranks, key=lambda row: self.ranked.ranks[row])

    @property
    def groups(self) -> list[tuple[float, float]]:
        """(best, worst) mean rank of every largest group of rows that the critical difference does not tell apart."""
        ranks = [self.ranked.ranks[row] for row in self.order]
        ends = [max(j for j, other in enumerate(ranks) if other - rank < self.critical) for rank in ranks]
        kept = [(i, end) for i, end in enumerate(ends) if end > i and (i == 0 or ends[i - 1] < end)]
        return [(ranks[i], ranks[end]) for i, end in kept]


def friedman(pivoted: Pivot) -> Friedman:
    """Friedman's test, and Nemenyi's critical difference q sqrt(k (k + 1) / (6 n)) of k rows over n columns (Demsar
    2006). Raises UserError for fewer than three rows or columns."""
    found = ranked(pivoted)
    k, n = len(pivoted.rows), len(found.over)
    if k < 3 or n < 3:
        left = f" ({len(found.left)} columns have missing or diverged trials)" if found.left else ""
        raise UserError(
            f"--cd ranks at least three rows over at least three columns; here are {k} rows and {n} columns{left}. "
            "Columns should be independent problems, as in --columns=pair."
        )
    means = _table(pivoted, found.over)
    statistic, p = friedmanchisquare(*means.T) if np.ptp(means, axis=1).any() else (0.0, 1.0)
    q = float(studentized_range.ppf(1 - ALPHA, k, np.inf)) / math.sqrt(2)
    return Friedman(found, float(statistic), float(p), q * math.sqrt(k * (k + 1) / (6 * n)))
