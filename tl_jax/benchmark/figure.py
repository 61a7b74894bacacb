"""The table as one picture: a line a row, a dot a number of labels."""

import statistics
from typing import TYPE_CHECKING

from tl_jax.benchmark.read import LAST, Found
from tl_jax.benchmark.rows import NONE
from tl_jax.benchmark.table import scores_of
from tl_jax.benchmark.verdict import BOUND, amount
from tl_jax.run.report.figures import blank

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LINES = (("source_only", NONE, "--"), (BOUND, "all", ":"))
"""Rows that are drawn through, and their labels."""


def figure(found: Found, title: str) -> "Figure":
    """Mean accuracy with a bar of one standard deviation over the seeds; the source alone and the bound as lines."""
    pivoted = found.pivoted(LAST)
    scores = scores_of(pivoted) if pivoted else {}
    rows = [one.row for one in found.rows]
    drawn = blank(8.5, 0.32 * len(rows) + 1.9)
    panel = drawn.subplots()
    for name, labels, style in LINES:
        if seeds := scores.get(name, {}).get(labels):
            panel.axvline(statistics.mean(seeds.values()), color="0.55", linewidth=1, linestyle=style, zorder=0)
    for i, labels in enumerate(found.labels):
        here = [(y, list(scores[row.name][labels].values())) for y, row in enumerate(rows)
                if labels in scores.get(row.name, {})]  # fmt: skip
        shift = 0.16 * (i - (len(found.labels) - 1) / 2)
        means = [statistics.mean(values) for _, values in here]
        bars = [statistics.stdev(values) if len(values) > 1 else 0.0 for _, values in here]
        panel.errorbar(means, [y + shift for y, _ in here], xerr=bars, fmt="o", markersize=4.5, color=f"C{i}",
                       label=amount(labels), linewidth=1)  # fmt: skip
    panel.set_yticks(range(len(rows)), [f"{row.sort}: {row.name}" for row in rows], fontsize="small")
    panel.set_ylim(len(rows) - 0.4, -0.6)
    panel.set(xlabel="accuracy on the target's test examples", title=title)
    panel.grid(alpha=0.3, axis="x")
    drawn.legend(fontsize="small", loc="outside lower center", ncols=len(found.labels))
    return drawn
