"""The pictures of the page as SVG: transparent, their text and axes in the page's own colour, light or dark."""

import io
import re
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import numpy as np

from tl_jax.core.printable import printable
from tl_jax.data.domain import known
from tl_jax.programs.analyze.measured.found import Numbers
from tl_jax.run.report.figures import blank
from tl_jax.run.report.plots import band
from tl_jax.run.report.projection import projected
from tl_jax.run.report.table import NAMES

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#123457"
"""What the page's colour takes the place of."""
LOOK: Any = {
    **dict.fromkeys(("text.color", "axes.labelcolor", "axes.edgecolor", "xtick.color", "ytick.color"), INK),
    **dict.fromkeys(("figure.facecolor", "axes.facecolor", "legend.facecolor", "savefig.facecolor"), "none"),
    "font.size": 8,
    "axes.titlesize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    "svg.fonttype": "none",
    "svg.hashsalt": "tl_jax",
    "lines.markersize": 3,
}


@contextmanager
def drawing() -> Iterator[None]:
    """In here figures look as the page does; what a font lacks is the browser's affair."""
    import matplotlib as mpl

    with mpl.rc_context(LOOK), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def svg(draw: Callable[[], "Figure"], said: str) -> str:
    """A drawing as an <svg> for the middle of a page. said: what is read out in its place, already escaped."""
    with drawing():
        file = io.StringIO()
        draw().savefig(file, format="svg", dpi=144, transparent=True, metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' id="(?:figure|axes|patch|line2d|text|legend|xtick|ytick|matplotlib)[^"]*"', "", text)
    return text.replace("<svg ", f'<svg role="img" aria-label="{said}" ', 1)


def plain(name: str) -> str:
    """A name as text of a figure, of which nothing is read as a formula."""
    return printable(name, lines=False).replace("$", r"\$")[:40]


def scores(jobs: Sequence[Numbers]) -> "Figure":
    """The metric over steps, a line a job; the selected step a triangle, the oracle's a star."""
    figure = blank(7.2, 2.9)
    panel = figure.subplots()
    for i, job in enumerate(jobs):
        if not job.curve:
            continue
        band(panel, job.curve, colour=i, label=plain(job.label), marker=".")
        marks = (
            ("v", job.scores.selected_steps, job.scores.selected),
            ("*", job.scores.oracle_steps, job.scores.oracle),
        )
        for marker, steps, values in marks:
            panel.plot(steps, values, marker, color=f"C{i % 10}", markersize=7 if marker == "*" else 5, clip_on=False)
    panel.set(xlabel="step", ylabel=f"{NAMES[jobs[0].metric]}, target's test split")
    panel.grid(alpha=0.25)
    figure.legend(*panel.get_legend_handles_labels(), loc="outside right upper")
    return figure


def losses(job: Numbers) -> "Figure":
    """Everything that was logged of the loss over steps; beside it the terms' shares, where they can be told."""
    several = len(job.shares) > 1
    figure = blank(5.3 if several else 2.8, 1.9)
    first, *rest = np.atleast_1d(figure.subplots(1, 1 + several))
    for name, curve in job.logged.items():
        steps = sorted(curve)
        if name != "grad_norm" and "/" not in name:
            style: dict[str, Any] = {"color": INK, "linestyle": ":"} if name == "total" else {}
            first.plot(steps, [curve[s] for s in steps], label=plain(name), **style)
    first.set(xlabel="step", title="as logged, mean over seeds")
    positive = all(v > 0 for n, c in job.logged.items() if n != "grad_norm" and "/" not in n for v in c.values())
    first.set_yscale("log" if positive else "linear")
    first.legend()
    for panel in rest:
        steps = sorted(next(iter(job.shares.values())))
        values = [[abs(curve[s]) for s in steps] for curve in job.shares.values()]
        panel.stackplot(steps, values, labels=[plain(name) for name in job.shares], alpha=0.8)
        panel.set(xlabel="step", ylim=(0, 1), title="share of the loss, weighted")
        panel.margins(x=0)
        panel.legend(loc="lower left")
    return figure


def calibration(job: Numbers) -> "Figure":
    """Accuracy over confidence in bins; the fainter a bar, the fewer examples."""
    seen = job.reliability
    assert seen is not None
    figure = blank(2.7, 2.5)
    panel = figure.subplots()
    edges = np.arange(len(seen.count)) / len(seen.count)
    for edge, count, right, sure in zip(edges, seen.count, seen.accuracy, seen.confidence, strict=True):
        if count:
            alpha = 0.25 + 0.75 * count / seen.count.max()
            panel.bar(edge, right, width=1 / len(edges), align="edge", color="C0", alpha=alpha, linewidth=0)
            panel.plot([sure, sure], [right, sure], color="C3", linewidth=1.5)
    panel.plot([0, 1], [0, 1], color=INK, linewidth=0.8, linestyle="--")
    panel.set(xlim=(0, 1), ylim=(0, 1), xlabel="confidence", ylabel="accuracy", aspect="equal")
    return figure


def plane(job: Numbers) -> "Figure":
    """Features of source and target by domain and, where labels are known, by class or value."""
    sides = [side for side in ("source", "target") if side in job.plane]
    where, by = projected(np.concatenate([job.plane[side] for side in sides]))
    y = np.concatenate([job.plane[f"{side}_y"] for side in sides])
    domain = np.repeat(sides, [len(job.plane[side]) for side in sides])
    figure = blank(5.3, 2.6)
    left, right = figure.subplots(1, 2)
    dots: dict[str, Any] = {"s": 5, "linewidths": 0, "alpha": 0.75, "rasterized": True}
    for side in sides:
        left.scatter(*where[domain == side].T, color={"source": "C0", "target": "C3"}[side], label=side, **dots)
    right.scatter(*where[~known(y)].T, color="0.6", **dots)
    classes = range(int(y[known(y)].max()) + 1) if known(y).any() and job.metric == "accuracy" else ()
    for k in classes:
        name = job.names[k] if k < len(job.names) else "other"
        right.scatter(*where[y == k].T, color=f"C{k % 10}", label=plain(name), **dots)
    if not classes and known(y).any():
        right.scatter(*where[known(y)].T, c=y[known(y)], **dots)
    for axis, title in ((left, "by domain"), (right, "by class" if job.metric == "accuracy" else "by value")):
        axis.set(title=f"{title} ({by})", xticks=[], yticks=[])
        axis.spines[:].set_visible(False)
    left.legend(loc="upper center", bbox_to_anchor=(0.5, 0), ncols=2, markerscale=2)
    if 0 < len(classes) <= 12:
        right.legend(loc="center left", bbox_to_anchor=(1, 0.5), markerscale=2)
    return figure


def over_time(
    jobs: Sequence[Numbers], panels: Mapping[str, Callable[[Numbers], Mapping[int, float]]], chance: float | None = None
) -> "Figure":
    """Several numbers over steps, a panel each, a line a job; chance: what shares would be by it (0: no line)."""
    figure = blank(2.6 * len(panels) + 1.2, 2.2)
    grid: Any = np.atleast_1d(figure.subplots(1, len(panels)))
    for panel, (title, of) in zip(grid, panels.items(), strict=True):
        for i, job in enumerate(jobs):
            curve = of(job)
            steps = sorted(curve)
            style: dict[str, Any] = {
                "marker": "." if len(steps) > 1 else "D",
                "color": f"C{i % 10}",
                "label": plain(job.label),
            }
            panel.plot(steps, [curve[s] for s in steps], **style)
        panel.set(title=title, xlabel="step", **({} if chance is None else {"ylim": (-0.03, 1.03)}))
        panel.grid(alpha=0.25)
        if chance:
            panel.axhline(chance, color=INK, linewidth=0.8, linestyle="--")
    figure.legend(*grid[0].get_legend_handles_labels(), loc="outside right upper")
    return figure


def class_shares(rows: Mapping[str, np.ndarray], names: Sequence[str]) -> "Figure":
    """Bars of several distributions over the classes, side by side."""
    figure = blank(max(3.0, min(7.2, 0.45 * len(names) + 1.8)), 2.1)
    panel = figure.subplots()
    width = 0.8 / len(rows)
    for i, (label, share) in enumerate(rows.items()):
        panel.bar(np.arange(len(names)) + (i - (len(rows) - 1) / 2) * width, share, width, label=label, color=f"C{i}")
    panel.set_xticks(range(len(names)), [plain(n)[:12] for n in names], rotation=0 if max(map(len, names)) < 4 else 60)
    panel.set_ylabel("share")
    figure.legend(*panel.get_legend_handles_labels(), loc="outside right upper")
    return figure


def values(job: Numbers) -> "Figure":
    """Predicted over true values."""
    assert job.pairs is not None
    figure = blank(2.7, 2.5)
    panel = figure.subplots()
    panel.scatter(*job.pairs, s=6, linewidths=0, alpha=0.6, rasterized=True)
    low, high = float(min(map(np.min, job.pairs))), float(max(map(np.max, job.pairs)))
    panel.plot([low, high], [low, high], color=INK, linewidth=0.8, linestyle="--")
    panel.set(xlabel="true", ylabel="predicted")
    return figure
