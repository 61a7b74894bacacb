"""Representations side by side: a row for each measure, a column for each method."""

from collections.abc import Mapping, Sequence
from typing import Any

from tl_jax.data.domain import Domain
from tl_jax.evaluation.protocols import L2, TEMPERATURE, K
from tl_jax.run.report.table import Table, mean_std, scale_of, spread
from tl_jax.run.settings.config import Config

MEASURES = {
    "target/knn_accuracy": f"kNN accuracy (k {K}, T {TEMPERATURE:g})",
    "target/probe_accuracy": f"logistic probe (l2 {L2:g})",
    "transfer/knn_accuracy": "kNN, labels of the source",
    "transfer/probe_accuracy": "probe, labels of the source",
    "retrieval/recall@1": "retrieval: recall@1",
    "retrieval/recall@5": "retrieval: recall@5",
    "retrieval/map": "retrieval: mAP",
    "target/clustering_accuracy": "clustering accuracy",
    "rankme": "RankMe",
    "alignment": "alignment (lower is better)",
    "uniformity": "uniformity (lower is better)",
}
DIGITS = {"rankme": 1}


def table(config: Config, records: Sequence[Mapping[str, Any]], unfinished: Mapping[str, str]) -> Table:
    """The table of an unsupervised run: mean and standard deviation over seeds."""
    names = [name for name, _ in config.swept]
    groups: dict[tuple, list[Mapping[str, Any]]] = {}
    for record in records:
        swept = tuple(f"{record['values'][n]:g}" if n in record["values"] else "-" for n in names)
        groups.setdefault((record["method"], *swept), []).append(record)
    cells = [["", *(key[0] for key in groups)]]
    cells += [[name, *(key[i] for key in groups)] for i, name in enumerate(names, 1)]
    for measure, title in MEASURES.items():
        measured = [[r["selectors"]["last"] for r in group] for group in groups.values()]
        scores = [[last[measure] for last in group if measure in last] for group in measured]
        cells.append([title, *(mean_std(values, DIGITS.get(measure, 3)) for values in scores)])
    late = "".join(f" {name}: {reason}." for name, reason in unfinished.items())
    return Table(cells, footnote(config) + late)


def basis(domains: Sequence[Domain]) -> str:
    """' far: 3 of 114 labels unknown, ...' of domains that lack labels, for under the table; else ''."""
    lacking = [(d.name, d.unknown, sum(len(part.y) for part in d.splits.values())) for d in domains if d.unknown]
    found = ", ".join(f"{name}: {n} of {size} labels unknown" for name, n, size in lacking)
    return f" {found}: judged by the known ones alone; a dash is what they cannot say." if found else ""


def footnote(config: Config) -> str:
    """What the numbers are."""
    source = " + ".join(config.source)
    on = {"both": f"{source} and {config.target}", "source": source, "target": config.target}[config.pretrain_on]
    return (
        f"Pretrained on {on} without labels, {config.steps} steps of {config.batch_size} examples of each, view "
        f"{config.view}; {spread(config)}. "
        f"Features are judged on the test split of {config.target}: kNN (cosine, weights exp(s / T)), probe and "
        "clustering by its own training labels unless it says the source's; retrieval has its queries there and its "
        f"gallery in the training split of {source}. RankMe compares runs of one method only; alignment: alpha 2, two "
        f"strong views; uniformity: t 2. Network {config.network}, forward plan {config.forward_plan}"
        f"{scale_of(config)}. No label is seen before evaluation."
    )
