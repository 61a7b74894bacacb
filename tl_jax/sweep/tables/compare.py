"""Whether rows differ from one: paired over seeds and columns, corrected by Holm for the number of comparisons."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from scipy.stats import t as student
from scipy.stats import wilcoxon

from tl_jax.core.errors import UserError, require
from tl_jax.core.sealed import opened
from tl_jax.run.store.claim import CONTENTS
from tl_jax.sweep.tables.collect import Row
from tl_jax.sweep.tables.pivot import Key, Pivot
from tl_jax.sweep.tables.words import said

LEAST = 6
"""Pairs from which Wilcoxon's two-sided test can be below .05 at all: 2 / 2^6 = .031."""
TESTS = ("wilcoxon", "corrected_t")


class Sizes(NamedTuple):
    """Examples of the target's splits, which all seeds share."""

    test: int
    train: int


class Compared(NamedTuple):
    """Of every row against one: the p value, corrected, over so many pairs; None where there is none."""

    against: Key
    p: Mapping[Key, float | None]
    pairs: Mapping[Key, int]
    test: str
    """In words."""
    lost: int = 0
    of_seeds: bool = False

    def shown(self, row: Key) -> str:
        """A table's cell."""
        if row == self.against:
            return ""
        if (p := self.p[row]) is not None:
            return f"{p:.3f}" if p >= 0.0005 else "<0.001"
        return f"{self.pairs[row]} pairs: {'no spread' if self.of_seeds and self.pairs[row] > 1 else 'too few'}"

    @property
    def note(self) -> str:
        """What the column is."""
        counts = sorted({n for row, n in self.pairs.items() if self.p[row] is not None})
        lost = f" Seeds that one of two rows lacks, or in which it diverged, are in no pair: {self.lost}."
        name = f"p: {self.test} against {said(self.against)}, two-sided, over"
        if not counts:
            least = "six pairs are" if not self.of_seeds else "two pairs that differ are"
            return f"{name} pairs of seed and column: {least} needed, so there is none.{lost * bool(self.lost)}"
        return (
            f"{name} {'/'.join(map(str, counts))} pairs (seed and column), corrected for "
            f"{sum(p is not None for p in self.p.values())} comparisons (Holm 1979).{lost * bool(self.lost)}"
        )


def compare(pivoted: Pivot, against: str, sizes: Sizes | None = None) -> Compared:
    """Every row against the one named, or `best`: of the greatest mean over all cells that all rows have.

    sizes: for the corrected t test over the seeds of one column; None for Wilcoxon's. Raises UserError for a name that
    no row has.
    """
    if sizes and len(pivoted.columns) > 1:
        raise UserError(
            f"--test={TESTS[1]} is of the seeds of one column, here are {len(pivoted.columns)}: keep one by --where, "
            f"or use --test={TESTS[0]}, which pairs seeds and columns."
        )
    pairs = {row: _scores(pivoted, row) for row in pivoted.rows}
    base = _base(pivoted, against, pairs)
    p, counts, lost = dict[Key, float | None](), {}, set[tuple[Key, int]]()
    for row in pivoted.rows:
        if row != base:
            both = sorted(pairs[row].keys() & pairs[base].keys(), key=repr)
            lost |= pairs[row].keys() ^ pairs[base].keys()
            counts[row] = len(both)
            differences = np.array([pairs[row][at] - pairs[base][at] for at in both])
            p[row] = corrected_t(differences, sizes.test / sizes.train) if sizes else _wilcoxon(differences)
    name = "Wilcoxon's signed-rank test"
    if sizes:
        name = f"corrected resampled t test (Nadeau & Bengio 2003; {sizes.test} test, {sizes.train} training examples)"
    return Compared(base, holm(p), counts, name, len(lost), sizes is not None)


def _base(pivoted: Pivot, against: str, pairs: Mapping[Key, Mapping[tuple[Key, int], float]]) -> Key:
    shared = set.intersection(*(set(found) for found in pairs.values())) if pairs else set()
    if against != "best":
        named = [row for row in pivoted.rows if said(row) == against]
        if not named:
            raise UserError(f"--against={against}: rows are {'; '.join(map(said, pivoted.rows))}; or best.")
        return named[0]
    if not shared:
        raise UserError("--against=best: no seed and column is there for every row. Name a row to compare with.")
    means = {row: np.mean([found[at] for at in shared]) for row, found in pairs.items()}
    return (max if pivoted.higher else min)(means, key=lambda row: means[row])


def _scores(pivoted: Pivot, row: Key) -> dict[tuple[Key, int], float]:
    cells = ((column, pivoted.cells.get((row, column))) for column in pivoted.columns)
    return {(column, seed): score for column, cell in cells if cell for seed, score in cell.scores.items()}


def _wilcoxon(differences: np.ndarray) -> float | None:
    if len(differences) < LEAST:
        return None
    if not differences.any():
        return 1.0
    _, p = np.asarray(wilcoxon(differences, zero_method="zsplit"))
    return float(p)


def corrected_t(differences: np.ndarray, ratio: float) -> float | None:
    """p of t = mean / sqrt((1/n + ratio) s^2) with n - 1 degrees of freedom, ratio = test / training examples: seeds
    share their examples, so that their spread alone is too small (Nadeau & Bengio 2003).

    None of fewer than two, and of equal ones, which show no spread to compare with.
    """
    n = len(differences)
    if n < 2:
        return None
    if not differences.any():
        return 1.0
    spread = float(np.std(differences, ddof=1))
    if spread <= 1e-12:
        return None
    t = float(np.mean(differences)) / (spread * math.sqrt(1 / n + ratio))
    return 2 * float(student.sf(abs(t), n - 1))


def sizes_of(rows: Sequence[Row], test: str) -> Sizes | None:
    """What a test needs to know of the runs: None for Wilcoxon's. Raises UserError where they differ or are lost."""
    require("test", test, TESTS)
    if test == TESTS[0]:
        return None
    found = set()
    for run in dict.fromkeys(row["run_dir"] for row in rows):
        path = Path(run) / CONTENTS
        try:
            target = opened(path.read_bytes())["made"]["domains"][-1]
            found.add(Sizes(*(int(target[split]["x"].split()[1].split("x")[0]) for split in ("test", "train"))))
        except (OSError, ValueError, LookupError) as error:
            raise UserError(
                f"{path} cannot be read ({error}): --test={test} needs to know the splits' sizes."
            ) from None
    if len(found) > 1:
        raise UserError(f"--test={test}: runs of several data sets ({sorted(found)}). Keep one by --where=pair=...")
    return found.pop()


def holm(p: Mapping[Key, float | None]) -> dict[Key, float | None]:
    """Corrected for as many comparisons as there are: the i-th smallest of m times m - i, never falling."""
    able = sorted((value, i) for i, value in enumerate(p.values()) if value is not None)
    found: list[float | None] = [None] * len(p)
    last = 0.0
    for rank, (value, i) in enumerate(able):
        last = max(last, min(1.0, value * (len(able) - rank)))
        found[i] = last
    return dict(zip(p, found, strict=True))
