"""What the table says, in words: which rows differ, by which test, and where transfer costs instead of helping."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from tl_jax.benchmark.rows import NONE
from tl_jax.kinds.predicting.table import Seeds, mean, under
from tl_jax.run.report.table import mean_std
from tl_jax.sweep.tables.compare import LEAST, corrected_t, holm

LEVEL = 0.05
BOUND = "target_only"
Scores = Mapping[str, Mapping[str, Seeds]]
"""By row and number of labels."""


class Paired(NamedTuple):
    """Differences seed by seed: their mean, deviation and number; p: of the corrected t-test, two-sided."""

    mean: float
    deviation: float | None
    n: int
    p: float | None

    def shown(self) -> str:
        """'+0.120 ± 0.031'."""
        return f"{self.mean:+.3f}" if self.deviation is None else f"{self.mean:+.3f} ± {self.deviation:.3f}"


def paired(ours: Seeds, theirs: Seeds, ratio: float) -> Paired | None:
    """Of the seeds that both have; None where there is none. ratio: test / training examples, as in `corrected_t`."""
    differences = np.array([ours[seed] - theirs[seed] for seed in sorted(ours.keys() & theirs.keys())])
    if not len(differences):
        return None
    deviation = float(differences.std(ddof=1)) if len(differences) > 1 else None
    return Paired(float(differences.mean()), deviation, len(differences), corrected_t(differences, ratio))


def floor_of(labels: str) -> str:
    """What a row with so many labels has to beat: the source alone, or the target alone with the same labels."""
    return "source_only" if labels == NONE else "scratch"


def remark(row: str, scores: Scores) -> str:
    """Where a row is under its floor by more than the spread of the differences: negative transfer."""
    said = []
    for labels, ours in scores.get(row, {}).items():
        floor = floor_of(labels)
        theirs = scores.get(floor, {}).get(labels, {})
        lost = under(ours, theirs, floor) if ours and row not in (floor, BOUND) else ""
        said += [f"{amount(labels)}: {lost}"] if lost.startswith("NEGATIVE") else []
    return "; ".join(said)


def verdict(scores: Scores, labels: Sequence[str], ratio: float) -> list[str]:
    """A paragraph a number of labels, what labels bought, and what the tests are worth."""
    lines = [line for n in labels if (line := _of_column(scores, n, ratio))]
    lines += _bought(scores, labels, ratio)
    return [*lines, _worth(scores)] if lines else []


def _column(scores: Scores, labels: str) -> dict[str, Seeds]:
    return {row: found[labels] for row, found in scores.items() if found.get(labels) and row != BOUND}


def _of_column(scores: Scores, labels: str, ratio: float) -> str:
    column = _column(scores, labels)
    if len(column) < 2:
        return ""
    order = sorted(column, key=lambda row: mean(column[row]), reverse=True)
    first, second = order[:2]
    said = [f"{amount(labels)}: {first} is highest, {mean_std(list(column[first].values()))}."]
    lead = paired(column[first], column[second], ratio)
    if lead:
        said.append(f"Over {second}, the next: {lead.shown()}, {_apart(lead.p)}.")
    floor = floor_of(labels)
    if floor in column:
        said.append(_over(floor, column, ratio))
    return " ".join(said)


def _over(floor: str, column: Mapping[str, Seeds], ratio: float) -> str:
    """The rows that the test tells apart from the floor, and those that it does not."""
    gains = {row: paired(seeds, column[floor], ratio) for row, seeds in column.items() if row != floor}
    found = {row: gain for row, gain in gains.items() if gain}
    corrected = holm({(row,): gain.p for row, gain in found.items()})
    of = lambda row: corrected[row,]
    sure = {row: gain for row, gain in found.items() if (p := of(row)) is not None and p < LEVEL}
    above = [f"{row} ({gain.shown()})" for row, gain in sure.items() if gain.mean > 0]
    below = [f"{row} ({gain.shown()})" for row, gain in sure.items() if gain.mean < 0]
    beyond = [row for row in found if row not in sure and _beyond(found[row]) > 0]
    lost = [row for row in found if _beyond(found[row]) < 0]
    text = [f"Told apart from {floor}, above: {', '.join(above) or 'none'}; below: {', '.join(below) or 'none'}."]
    if beyond:
        text.append(f"Above it by more than the spread of the differences, but not by the test: {', '.join(beyond)}.")
    text.append(
        f"Negative transfer (below it by more than that spread): {', '.join(lost)}."
        if lost
        else "No row is below it by more than that spread: no negative transfer."
    )
    return " ".join(text)


def _beyond(gain: Paired) -> int:
    """1 or -1 where a difference is beyond its own spread, which one seed has not."""
    if gain.deviation is None or abs(gain.mean) <= gain.deviation:
        return 0
    return 1 if gain.mean > 0 else -1


def _bought(scores: Scores, labels: Sequence[str], ratio: float) -> list[str]:
    """The best row with labels against the best without."""
    free = _column(scores, NONE)
    if not free:
        return []
    best = max(free, key=lambda row: mean(free[row]))
    said = []
    for n in (n for n in labels if n != NONE):
        column = _column(scores, n)
        if column:
            row = max(column, key=lambda row: mean(column[row]))
            if gain := paired(column[row], free[best], ratio):
                said.append(f"{amount(n)}: {row} {gain.shown()}, {_apart(gain.p)}")
    return (
        [f"What labels buy, the best row with them over {best}, the best without: {'; '.join(said)}."] if said else []
    )


def _worth(scores: Scores) -> str:
    n = max(len(seeds) for found in scores.values() for seeds in found.values())
    text = (
        f"Tests: t over the differences of {n} seeds, two-sided, at {LEVEL:g}, corrected for the examples that seeds "
        "share (Nadeau & Bengio 2003) and, against a floor, for the rows of the column (Holm 1979). Highest rows are "
        "named after the same test examples that they are judged by, so their lead flatters them."
    )
    if n < LEAST:
        text += (
            f" {n} seed{'s are' if n > 1 else ' is'} few: a t-test then rests on differences being normal and finds "
            f"large ones alone, and a signed-rank test would need {LEAST}. What is not told apart may differ."
        )
    return text


def _apart(p: float | None) -> str:
    if p is None:
        return "no test"
    return f"{f'p = {p:.3f}' if p >= 0.0005 else 'p < 0.001'}: {'told apart' if p < LEVEL else 'not told apart'}"


def amount(labels: str) -> str:
    """A number of labels, in words."""
    return {"0": "Without target labels", "1": "1 label a class", "all": "All labels"}.get(
        labels, f"{labels} labels a class"
    )
