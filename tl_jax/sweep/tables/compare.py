"""Whether methods differ: paired over seeds and columns, Wilcoxon's signed-rank test, corrected by Holm."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from scipy.stats import wilcoxon

from tl_jax.core.errors import UserError
from tl_jax.sweep.tables.pivot import Key, Pivot

LEAST = 6
"""Pairs from which the two-sided test can be below .05 at all: 2 / 2^6 = .031."""


class Compared(NamedTuple):
    """Of every row against one: the p value, corrected, over so many pairs; None where they are too few."""

    against: Key
    p: Mapping[Key, float | None]
    pairs: Mapping[Key, int]

    def shown(self, row: Key) -> str:
        """A table's cell."""
        p = self.p.get(row)
        return "" if row == self.against else f"{self.pairs[row]} pairs: too few" if p is None else f"{p:.3f}"

    @property
    def note(self) -> str:
        """What the column is."""
        name = ", ".join(map(str, self.against))
        counts = sorted({n for row, n in self.pairs.items() if self.p[row] is not None})
        over = "/".join(map(str, counts)) or "too few"
        return (
            f"p: Wilcoxon's signed-rank test against {name}, two-sided, over {over} pairs (seed and column), corrected "
            f"for {sum(p is not None for p in self.p.values())} comparisons (Holm 1979)."
        )


def compare(pivoted: Pivot, against: str) -> Compared:
    """Every row against the one named, or `best`: of the greatest mean over all cells that all rows have.

    Raises UserError for a name that no row has.
    """
    pairs = {row: _scores(pivoted, row) for row in pivoted.rows}
    shared = set.intersection(*(set(found) for found in pairs.values())) if pairs else set()
    if against == "best":
        if not shared:
            raise UserError("--against=best: no seed and column is there for every row. Name a row to compare with.")
        means = {row: np.mean([found[at] for at in shared]) for row, found in pairs.items()}
        base = (max if pivoted.higher else min)(means, key=lambda row: means[row])
    else:
        named = [row for row in pivoted.rows if ", ".join(map(str, row)) == against]
        if not named:
            raise UserError(f"--against={against}: rows are {'; '.join(', '.join(map(str, r)) for r in pivoted.rows)}.")
        base = named[0]
    p: dict[Key, float | None] = {}
    counts = {}
    for row in pivoted.rows:
        if row != base:
            both = sorted(pairs[row].keys() & pairs[base].keys(), key=repr)
            counts[row] = len(both)
            p[row] = _p(np.array([pairs[row][at] - pairs[base][at] for at in both]))
    return Compared(base, holm(p), counts)


def _scores(pivoted: Pivot, row: Key) -> dict[tuple[Key, int], float]:
    cells = ((column, pivoted.cells.get((row, column))) for column in pivoted.columns)
    return {(column, seed): score for column, cell in cells if cell for seed, score in cell.scores.items()}


def _p(differences: np.ndarray) -> float | None:
    if len(differences) < LEAST:
        return None
    if not differences.any():
        return 1.0
    _, p = np.asarray(wilcoxon(differences, zero_method="zsplit"))
    return float(p)


def holm(p: Mapping[Key, float | None]) -> dict[Key, float | None]:
    """Corrected for as many comparisons as there are: the i-th smallest of m times m - i, never falling."""
    able = sorted((value, i) for i, value in enumerate(p.values()) if value is not None)
    found: list[float | None] = [None] * len(p)
    last = 0.0
    for rank, (value, i) in enumerate(able):
        last = max(last, min(1.0, value * (len(able) - rank)))
        found[i] = last
    return dict(zip(p, found, strict=True))
