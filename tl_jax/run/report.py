"""Results as a table: mean and standard deviation over seeds, three selectors, bounds, negative transfer."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tl_jax.run.config import Config

SELECTORS = ("last", "selected", "oracle")
METRIC = "target/accuracy"
BOUNDS = {"source_only": "lower bound", "target_only": "upper bound (target labels)"}


class Row(NamedTuple):
    """One method at one set of swept values: its scores by selector over the seeds, and a remark."""

    method: str
    swept: dict[str, float]
    scores: dict[str, list[float]]
    remark: str


def rows(config: Config, records: Sequence[Mapping[str, Any]], unfinished: Mapping[str, str]) -> list[Row]:
    """Table rows in the order of the config; `unfinished` methods have no scores, only a remark."""
    names = [name for name, _ in config.sweep]
    groups: dict[tuple, list[Mapping[str, Any]]] = {}
    for record in records:
        swept = tuple((n, record["values"][n]) for n in names if n in record["values"])
        groups.setdefault((record["method"], swept), []).append(record)
    scores = {key: {s: [r["selectors"][s][METRIC] for r in group] for s in SELECTORS} for key, group in groups.items()}
    floors = [statistics.mean(s["last"]) for (method, _), s in scores.items() if method == "source_only"]
    floor = max(floors) if floors else None
    done = [Row(m, dict(swept), s, _remark(m, s["last"], floor)) for (m, swept), s in scores.items()]
    return done + [Row(name, {}, {}, reason) for name, reason in unfinished.items()]


def _remark(method: str, last: list[float], floor: float | None) -> str:
    if method in BOUNDS:
        return BOUNDS[method]
    if floor is not None and statistics.mean(last) < floor:
        return f"NEGATIVE TRANSFER: {floor - statistics.mean(last):.3f} under source_only"
    return ""


def mean_std(values: Sequence[float]) -> str:
    """'0.871 ± 0.012', the sample standard deviation; no ± for one value, a dash for none."""
    if not values:
        return "-"
    mean = f"{statistics.mean(values):.3f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.3f}"


def cells(config: Config, table: Iterable[Row]) -> list[list[str]]:
    """The table as text cells, the first row its head."""
    swept = [name for name, _ in config.sweep]
    head = ["method", *swept, "last", f"selected ({config.select})", "oracle (target labels)", ""]
    body = [
        [
            row.method,
            *(f"{row.swept[name]:g}" if name in row.swept else "-" for name in swept),
            *(mean_std(row.scores.get(s, [])) for s in SELECTORS),
            row.remark,
        ]
        for row in table
    ]
    return [head, *body]


def footnote(config: Config) -> str:
    """What the numbers are."""
    n = len(config.seeds)
    spread = f"mean ± sample standard deviation over {n} seeds" if n > 1 else "one seed, so no spread"
    return (
        f"{' + '.join(config.source)} -> {config.target}: accuracy on the target's test split, {spread}. "
        f"last: step {config.steps}. selected: the step chosen by {config.select}, which sees no target label. "
        "oracle: the step chosen with the target's validation labels, for comparison only. "
        f"Network {config.network}, forward plan {config.forward_plan}."
    )


def text(config: Config, table: Sequence[Row]) -> str:
    """The table for a terminal."""
    grid = cells(config, table)
    widths = [max(len(row[i]) for row in grid) for i in range(len(grid[0]))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in grid]
    lines.insert(1, "  ".join("-" * width for width in widths[:-1]))
    return "\n".join(lines) + "\n\n" + footnote(config) + "\n"


def markdown(config: Config, table: Sequence[Row]) -> str:
    """The table for a document."""
    head, *body = cells(config, table)
    lines = [head, ["---"] * len(head), *body]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n\n" + footnote(config) + "\n"
