"""Results as a table: mean and standard deviation over seeds, three selectors, bounds, negative transfer."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from tl_jax.core.printable import markdown, printable
from tl_jax.run.execute import divergence
from tl_jax.run.plan.config import TARGET_VAL, Config

SELECTORS = {"transductive": ("last", "selected", "oracle"), "inductive": ("last", "selected")}
OPEN = {"os_star": "OS*", "unknown_recall": "unknown recall", "hos": "HOS"}
"""Scores of an open label space, at the last step (see evaluation/open_set.py)."""
ERRORS = {"rmse": "RMSE", "mae": "MAE"}
"""Of a regression, at the last step, in the labels' own units: lower is better."""
NAMES = {"accuracy": "accuracy", "r2": "R2"}
"""The metrics that tables compare: higher is better."""
ALSO = {**OPEN, **ERRORS}
BOUNDS = {"source_only": "lower bound", "target_only": "upper bound (target labels)"}


Key = tuple[str, tuple[tuple[str, float], ...]]
"""A method and its swept values."""
Seeds = dict[int, float]
"""A score of every seed."""


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


class Row(NamedTuple):
    """One method at one set of swept values: its scores by selector over the seeds, and a remark."""

    method: str
    swept: dict[str, float]
    scores: dict[str, list[float]]
    remark: str


def table(
    config: Config, records: Sequence[Mapping[str, Any]], unfinished: Mapping[str, str], metric: str = "accuracy"
) -> Table:
    """The table of a run that predicts classes, or values (metric "r2")."""
    return Table(cells(config, rows(config, records, unfinished, metric), metric), footnote(config, metric))


def rows(
    config: Config, records: Sequence[Mapping[str, Any]], unfinished: Mapping[str, str], metric: str = "accuracy"
) -> list[Row]:
    """Table rows in the order of the config; `unfinished` methods have no scores, only a remark."""
    names = [name for name, _ in config.swept]
    groups: dict[Key, list[Mapping[str, Any]]] = {}
    for record in records:
        swept = tuple((n, record["values"][n]) for n in names if n in record["values"])
        groups.setdefault((record["method"], swept), []).append(record)
    remark = _gain if config.kind == "inductive" else _negative
    seeds = {key: _by_seed(group, metric) for key, group in groups.items()}
    done = []
    for key, group in groups.items():
        finite = divergence.alive(group)
        scores = {s: _scored(finite, s, metric) for s in SELECTORS[config.kind]}
        scores |= {
            name: [r["selectors"]["last"][f"target/{name}"] for r in finite] for name in ALSO if _has(finite, name)
        }
        said = [remark(key, seeds), divergence.remark(group)]
        done.append(Row(key[0], dict(key[1]), scores, "; ".join(filter(None, said))))
    return done + [Row(name, {}, {}, reason) for name, reason in unfinished.items()]


def _scored(group: Sequence[Mapping[str, Any]], selector: str, metric: str) -> list[float]:
    """Of the records that have the score: none where no label is known that it could rest on."""
    found = (record["selectors"].get(selector, {}).get(f"target/{metric}") for record in group)
    return [score for score in found if score is not None]


def _has(group: Sequence[Mapping[str, Any]], name: str) -> bool:
    return all(f"target/{name}" in record["selectors"]["last"] for record in group)


def _by_seed(group: Sequence[Mapping[str, Any]], metric: str) -> Seeds:
    """The last score of every seed."""
    name = f"target/{metric}"
    last = {r["seed"]: r["selectors"]["last"] for r in divergence.alive(group)}
    return {seed: scores[name] for seed, scores in last.items() if name in scores}


def _negative(row: Key, scores: Mapping[Key, Seeds]) -> str:
    """Bounds by name; a method under the (best) source_only is flagged."""
    if row[0] in BOUNDS:
        return BOUNDS[row[0]]
    floors = [seeds for (method, _), seeds in scores.items() if method == "source_only" and seeds]
    return _under(scores[row], max(floors, key=_mean), "source_only") if floors else ""


def _gain(row: Key, scores: Mapping[Key, Seeds]) -> str:
    """What was gained over training from scratch on the same labels; a loss is flagged."""
    method, swept = row
    floor = scores.get(("scratch", swept))
    if not floor or method == "scratch":
        return "no transfer" if method == "scratch" else ""
    gain = _mean(scores[row]) - _mean(floor) if scores[row] else 0.0
    return f"{gain:+.3f} over scratch" if gain > 0 else _under(scores[row], floor, "scratch")


def _mean(seeds: Seeds) -> float:
    return statistics.mean(seeds.values())


def _under(ours: Seeds, theirs: Seeds, of: str) -> str:
    """By how much a row is under a baseline, seed by seed; flagged where the mean difference is beyond its spread."""
    lost = [theirs[seed] - ours[seed] for seed in ours if seed in theirs]
    if not lost or statistics.mean(lost) <= 0:
        return ""
    by = f"{statistics.mean(lost):.3f}"
    if len(lost) == 1:
        return f"{by} under {of} (one seed)"
    spread = statistics.stdev(lost)
    if statistics.mean(lost) <= spread:
        return f"{by} under {of}, within the spread of the seeds ({spread:.3f})"
    return f"NEGATIVE TRANSFER: {by} ± {spread:.3f} under {of}"


def mean_std(values: Sequence[float], digits: int = 3) -> str:
    """'0.871 ± 0.012', the sample standard deviation; no ± for one value, a dash for none."""
    if not values:
        return "-"
    mean = f"{statistics.mean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.{digits}f}"


def cells(config: Config, table: Iterable[Row], metric: str = "accuracy") -> list[list[str]]:
    """The table as text cells, the first row its head."""
    swept = [name for name, _ in config.swept]
    titles = {"last": "last", "selected": f"selected ({config.select})", "oracle": "oracle (target labels)", **ALSO}
    shown = (*SELECTORS[config.kind], *(ERRORS if metric == "r2" else OPEN if is_open(config) else ()))
    head = ["strategy" if config.strategies else "method", *swept, *(titles[s] for s in shown), ""]
    body = [
        [
            row.method,
            *(f"{row.swept[name]:g}" if name in row.swept else "-" for name in swept),
            *(mean_std(row.scores.get(s, [])) for s in shown),
            row.remark,
        ]
        for row in table
    ]
    return [head, *body]


def is_open(config: Config) -> bool:
    """Whether the target may have classes of its own that count as unknown."""
    return config.kind == "transductive" and config.label_space == "open"


def spread(config: Config) -> str:
    """What stands behind a number of a table: its seeds."""
    n = len(config.seeds)
    return f"mean ± sample standard deviation over {n} seeds" if n > 1 else "one seed, so no spread"


def scale_of(config: Config) -> str:
    """How features were standardised, for a footnote; "" where they were not."""
    by = {"source": "by the source's training examples", "per_domain": "in each domain by its own training examples"}
    return f", features standardised {by[config.standardise]}" if config.standardise in by else ""


def footnote(config: Config, metric: str = "accuracy") -> str:
    """What the numbers are."""
    if config.kind == "inductive":
        steps = f"{config.pretrain_steps or config.steps} steps on {' + '.join(config.source)}"
        begin = f"Weights of {config.init_from}" if config.init_from else f"Pretrained once ({steps})"
        how = (
            f"{begin}; seeds vary the labelled examples, the new head and the batches. selected: the step chosen by "
            f"{config.select}"
            + (", which needs the labels of the target's validation split." if config.select == TARGET_VAL else ".")
        )
    else:
        how = (
            f"selected: the step chosen by {config.select}, which sees no target label. "
            "oracle: the step chosen with the target's validation labels, for comparison only."
        )
    of = ""
    if metric == "r2":
        how += " RMSE and MAE: at the last step, in the labels' own units."
    elif is_open(config):
        of = ", of the classes that the source has"
        how += (
            " OS*, unknown recall and their harmonic mean HOS, at the last step: an example is called unknown where "
            "the entropy of its prediction is over half its maximum; OS* is accuracy averaged over the known classes."
        )
    pair = f"{' + '.join(config.source) or config.init_from} -> {config.target}"
    return (
        f"{pair}: {NAMES[metric]} on the target's test split{of}, {spread(config)}. "
        f"last: step {config.steps}. {how} Network {config.network}, forward plan {config.forward_plan}"
        f"{scale_of(config)}."
    )
