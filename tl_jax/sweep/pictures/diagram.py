"""The critical-difference diagram: mean ranks on one axis, rows that do not differ joined by a bar (Demsar 2006)."""

import textwrap

from matplotlib.figure import Figure

from tl_jax.sweep.pictures.look import COLOURS
from tl_jax.sweep.tables.ranks import ALPHA, Friedman
from tl_jax.sweep.tables.words import said

STEP = 0.32
"""Inches from one name to the next."""


def diagram(found: Friedman) -> Figure:
    """The best is on the left; names hang on either side. Where Friedman's test shows nothing, one bar joins all."""
    ranks, order = found.ranked.ranks, found.order
    k, half = len(order), (len(order) + 1) // 2
    groups = found.groups if found.p < ALPHA else [(ranks[order[0]], ranks[order[-1]])]
    sentence = textwrap.wrap(found.sentence, 100)
    bars = STEP * 0.55 * (len(groups) + 1)
    depth = bars + STEP * half + 0.2 * (len(sentence) + 1)
    figure = Figure(figsize=(8.0, depth + 0.9))
    axes = figure.add_axes((0.0, 0.0, 1.0, 1.0))
    axes.set_axis_off()
    margin = 0.55 * (k - 1)
    axes.set_xlim(1 - margin, k + margin)
    axes.set_ylim(-depth, 0.9)
    axes.plot([1, k], [0, 0], color="black", linewidth=1.2)
    for rank in range(1, k + 1):
        axes.plot([rank, rank], [0, 0.08], color="black", linewidth=1)
        axes.text(rank, 0.13, str(rank), ha="center", va="bottom", fontsize=9)
    length = min(found.critical, k - 1)
    axes.plot([1, 1 + length], [0.55, 0.55], color="black", linewidth=1.2)
    for end in (1, 1 + length):
        axes.plot([end, end], [0.5, 0.6], color="black", linewidth=1.2)
    axes.text(1 + length / 2, 0.62, f"CD = {found.critical:.2f}", ha="center", va="bottom", fontsize=9)
    for i, row in enumerate(order):
        first = i < half
        y = -bars - STEP * ((i if first else k - 1 - i) + 0.5)
        end, side = (1 - 0.06 * (k - 1), "right") if first else (k + 0.06 * (k - 1), "left")
        axes.plot([ranks[row], ranks[row], end], [0, y, y], color="#555555", linewidth=0.8)
        axes.plot([ranks[row]], [0], "o", color=COLOURS[0], markersize=4, zorder=4)
        gap = -0.02 * (k - 1) if first else 0.02 * (k - 1)
        axes.text(end + gap, y, f"{said(row)} ({ranks[row]:.2f})", ha=side, va="center", fontsize=9)
    for i, (best, worst) in enumerate(groups):
        y = -STEP * 0.55 * (i + 1)
        axes.plot([best - 0.012 * k, worst + 0.012 * k], [y, y], color=COLOURS[1], linewidth=3.5, solid_capstyle="butt")
    axes.text((1 + k) / 2, -depth, "\n".join(sentence), ha="center", va="bottom", fontsize=8, color="#333333")
    return figure
