"""Results as a table: mean and standard deviation over seeds, three selectors, bounds, negative transfer."""

import statistics
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from tl_jax.run.execute import divergence
from tl_jax.run.report.table import NAMES, Table, mean_std, scale_of, spread
from tl_jax.run.settings.config import Config

OPEN = {"os_star": "OS*", "unknown_recall": "unknown recall", "hos": "HOS"}
"""Scores of an open label space, at the last step (see evaluation/open_set.py)."""
ERRORS = {"rmse": "RMSE", "mae": "MAE"}
"""Of a regression, at the last step, in the labels' own units: lower is better."""
ALSO = {**OPEN, **ERRORS}

Key = tuple[str, tuple[tuple[str, float], ...]]
"""A method and its swept values."""
Seeds = dict[int, float]
"""A score of every seed."""


class Reading(NamedTuple):
    """How a kind of transfer reads its scores.

    selectors: which steps its table shows; remark(row, last scores of every row) -> what is said beside it;
    how(config) -> what is said under it of the steps and the seeds; bounds: methods that are no competitors, and why.
    """

    selectors: tuple[str, ...]
    remark: Callable[[Key, Mapping[Key, Seeds]], str]
    how: Callable[[Config], str]
    bounds: Mapping[str, str] = MappingProxyType({})


class Row(NamedTuple):
    """One method at one set of swept values: its scores by selector over the seeds, and a remark."""

    method: str
    swept: dict[str, float]
    scores: dict[str, list[float]]
    remark: str


def table(
    config: Config, records: Sequence[Mapping[str, Any]], unfinished: Mapping[str, str], by: tuple[Reading, str]
) -> Table:
    """The table of a run that predicts; by: how it is read, and the metric ("accuracy", "r2" of values)."""
    return Table(cells(config, rows(config, records, unfinished, by), by), footnote(config, by))


def rows(
    config: Config, records: Sequence[Mapping[str, Any]], unfinished: Mapping[str, str], by: tuple[Reading, str]
) -> list[Row]:
    """Table rows in the order of the config; `unfinished` methods have no scores, only a remark."""
    reading, metric = by
    # A row is a method at one set of swept values; its seeds are what the spread is over.
    names = [name for name, _ in config.swept]
    groups: dict[Key, list[Mapping[str, Any]]] = {}
    for record in records:
        swept = tuple((n, record["values"][n]) for n in names if n in record["values"])
        groups.setdefault((record["method"], swept), []).append(record)
    # Remarks compare rows seed by seed, so they need every row's scores before the first is written.
    seeds = {key: _by_seed(group, metric) for key, group in groups.items()}
    done = []
    for key, group in groups.items():
        # Diverged trials are in no mean: the remark counts them.
        finite = divergence.alive(group)
        scores = {s: _scored(finite, s, metric) for s in reading.selectors}
        scores |= {
            name: [r["selectors"]["last"][f"target/{name}"] for r in finite] for name in ALSO if _has(finite, name)
        }
        said = [reading.remark(key, seeds), divergence.remark(group)]
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


def mean(seeds: Seeds) -> float:
    """Over the seeds."""
    return statistics.mean(seeds.values())


def under(ours: Seeds, theirs: Seeds, of: str) -> str:
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


def beside(floor: str, named: Mapping[str, str]) -> Callable[[Key, Mapping[Key, Seeds]], str]:
    """A `Reading.remark`: what is `named` by its name, any other method by how far it ends under the best `floor`."""

    def remark(row: Key, scores: Mapping[Key, Seeds]) -> str:
        if row[0] in named:
            return named[row[0]]
        floors = [seeds for (method, _), seeds in scores.items() if method == floor and seeds]
        return under(scores[row], max(floors, key=mean), floor) if floors else ""

    return remark


def cells(config: Config, table: Iterable[Row], by: tuple[Reading, str]) -> list[list[str]]:
    """The table as text cells, the first row its head."""
    reading, metric = by
    swept = [name for name, _ in config.swept]
    titles = {"last": "last", "selected": f"selected ({config.select})", "oracle": "oracle (target labels)", **ALSO}
    shown = (*reading.selectors, *(ERRORS if metric == "r2" else OPEN if is_open(config) else ()))
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
    return config.label_space in ("open", "universal")


def footnote(config: Config, by: tuple[Reading, str]) -> str:
    """What the numbers are."""
    reading, metric = by
    how = reading.how(config)
    of = ""
    if metric == "r2":
        how += " RMSE and MAE: at the last step, in the labels' own units."
    elif is_open(config):
        of = ", of the classes that the source has"
        how += (
            " OS*, unknown recall and their harmonic mean HOS (H-score), at the last step: an example is called "
            "unknown as its method says, or, where that has no rule, where the entropy of its prediction is over half "
            "its maximum; OS* is accuracy averaged over the known classes of the target."
        )
    pair = f"{' + '.join(config.source) or config.init_from} -> {config.target}"
    return (
        f"{pair}: {NAMES[metric]} on the target's test split{of}, {spread(config)}. "
        f"last: step {config.steps}. {how} Network {config.network}, forward plan {config.forward_plan}"
        f"{scale_of(config)}."
    )
