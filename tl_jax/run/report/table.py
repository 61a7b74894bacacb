"""Text tables, and the words that every table has in common."""

import statistics
from collections.abc import Sequence
from typing import NamedTuple

from tl_jax.core.printable import markdown, printable
from tl_jax.run.settings.config import Config

NAMES = {"accuracy": "accuracy", "r2": "R2"}
"""The metrics that tables compare: higher is better."""


class Table(NamedTuple):
    """Text cells, the first row the head, and a note on what the numbers are."""

    cells: list[list[str]]
    note: str

    def text(self) -> str:
        """For a terminal."""
        shown = [[printable(cell, lines=False) for cell in row] for row in self.cells]
        widths = [max(map(len, column)) for column in zip(*shown, strict=True)]
        lines = [
            "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in shown
        ]
        lines.insert(1, "  ".join("-" * width for width in widths if width))
        return "\n".join(lines) + "\n\n" + self.note + "\n"

    def markdown(self) -> str:
        """For a document."""
        head, *body = self.cells
        lines = [head, ["---"] * len(head), *body]
        rows = ("| " + " | ".join(map(markdown, line)) + " |" for line in lines)
        return "\n".join(rows) + "\n\n" + markdown(self.note) + "\n"


def mean_std(values: Sequence[float], digits: int = 3) -> str:
    """'0.871 ± 0.012', the sample standard deviation; no ± for one value, a dash for none."""
    if not values:
        return "-"
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


def spread(config: Config) -> str:
    """What stands behind a number of a table: its seeds."""
    n = len(config.seeds)
    return f"mean ± sample standard deviation over {n} seeds" if n > 1 else "one seed, so no spread"


def scale_of(config: Config) -> str:
    """How features were standardised, for a footnote; "" where they were not."""
    by = {"source": "by the source's training examples", "per_domain": "in each domain by its own training examples"}
    return f", features standardised {by[config.standardise]}" if config.standardise in by else ""
