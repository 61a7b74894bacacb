"""Which network and which scale `auto` takes of vectors and series: candidates on development pairs.

    python -m experiments.default_networks --data_dir=DIR

DIR holds amazon_dann_svmlight, office_caltech10, usps and mnist; wine and breast_cancer are embedded in scikit-learn.
The choice is by accuracy on the source's validation split. The target's test accuracy is reported after it, beside a
linear model and the nearest neighbour, and chooses nothing. 300 steps, two seeds; about four minutes of processor time.
"""

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from sklearn import datasets

import tl_jax
from experiments.page import finished, script, write
from tl_jax.data.domain import Domain, changed
from tl_jax.data.load import load
from tl_jax.data.match.match import matched
from tl_jax.data.readers.assemble import make
from tl_jax.run.report.table import Table

PAGE = Path("docs/results/default_networks.md")
MOST = 1500
"""Examples of a split that are used."""
SETTINGS = {"steps": 300, "seeds": 2, "eval_every": 300, "devices": 1, "trials": "map", "quiet": True}
WIDE = "mlp(dropout=0.5, hidden=(256,))"
VECTORS = (("none", "mlp"), ("source", "mlp"), ("source", WIDE))
SERIES = (("none", "conv1d"), ("source", "conv1d"), ("source", "gru"))
"""(standardise, network) each."""


class Scores(NamedTuple):
    """Mean accuracies over the seeds on the source's validation and the target's test split, and of the baselines."""

    validation: float
    test: float
    baselines: dict[str, float]


def halves(name: str) -> tuple[Domain, Domain]:
    """A set of scikit-learn in two: in every class the examples under and over the median of the second feature."""
    held = getattr(datasets, f"load_{name}")()
    over = np.zeros(len(held.target), bool)
    for c in np.unique(held.target):
        rows = held.target == c
        over[rows] = held.data[rows, 1] > np.median(held.data[rows, 1])
    low, high = (
        make(f"{name} {side}", held.data[rows], held.target[rows], modality="vector")
        for side, rows in (("low", ~over), ("high", over))
    )
    return low, high


def digits(data_dir: str, shape: tuple[int, ...]) -> tuple[Domain, Domain]:
    """USPS and MNIST at 16 px, grey values as vectors [256] or as series [16, 16]."""
    (source,), target = matched([load("usps", data_dir)], load("mnist", data_dir))
    return as_floats(source, shape), as_floats(target, shape)


def as_floats(domain: Domain, shape: tuple[int, ...]) -> Domain:
    """Images as float32 of another shape."""
    parts = {
        name: part._replace(x=part.x.reshape(-1, *shape).astype(np.float32)) for name, part in domain.splits.items()
    }
    return changed(domain, modality="vector" if len(shape) == 1 else "series", **parts)


def pairs(data_dir: str) -> Mapping[str, Callable[[], tuple[Domain, Domain]]]:
    """{name: source and target}."""
    surf = lambda name: load(f"mat:office_caltech10/surf/{name}_SURF_L10.mat?x=fts&y=labels&modality=vector", data_dir)
    reviews = lambda name: load(f"amazon_reviews/{name}", data_dir)
    return {
        "wine, low to high": lambda: halves("wine"),
        "breast cancer, low to high": lambda: halves("breast_cancer"),
        "USPS to MNIST, 256 grey values": lambda: digits(data_dir, (256,)),
        "SURF counts, caltech to amazon": lambda: (surf("Caltech10"), surf("amazon")),
        "reviews, books to electronics": lambda: (reviews("books"), reviews("electronics")),
        "USPS to MNIST, series of 16 rows": lambda: digits(data_dir, (16, 16)),
    }


def few(domain: Domain) -> Domain:
    """At most so many examples of every split, drawn evenly."""
    rows = {
        name: np.linspace(0, len(part.y) - 1, min(len(part.y), MOST)).astype(int)
        for name, part in domain.splits.items()
    }
    parts = {name: type(part)(part.x[rows[name]], part.y[rows[name]]) for name, part in domain.splits.items()}
    return changed(domain, ids={}, **parts)


def scores(source: Domain, target: Domain, standardise: str, network: str) -> Scores:
    """Train source_only and read its records."""
    size = min(64, len(source.train.y) // 2, len(target.train.y) // 2)
    result = finished(
        tl_jax.fit(source, target, "source_only", network=network, standardise=standardise, batch_size=size, **SETTINGS)
    )
    own = [r["selectors"]["last"] for r in result.records if r["method"] == "source_only"]
    mean = lambda name: float(np.mean([last[name] for last in own]))
    beside = {r["method"]: r["selectors"]["last"]["target/accuracy"] for r in result.baselines}
    return Scores(mean("source/accuracy"), mean("target/accuracy"), beside)


def main() -> None:
    """Every pair with every candidate, into a page."""
    data_dir = next((word.partition("=")[2] for word in sys.argv[1:] if word.startswith("--data_dir=")), "")
    found: dict[str, dict[tuple[str, str], Scores]] = {}
    for name, read in pairs(data_dir).items():
        source, target = map(few, read())
        for candidate in SERIES if source.modality == "series" else VECTORS:
            found.setdefault(name, {})[candidate] = scores(source, target, *candidate)
            print(name, *candidate, found[name][candidate], flush=True)
    write(PAGE, "Default networks of vectors and series", "python -m experiments.default_networks", page(found))


def page(found: Mapping[str, Mapping[tuple[str, str], Scores]]) -> str:
    """Two tables: what chose, and what was looked at afterwards."""
    body = [
        [
            pair,
            network,
            standardise,
            f"{s.validation:.3f}",
            f"{s.test:.3f}",
            *(f"{s.baselines[name]:.3f}" for name in ("logistic_regression", "nearest_neighbour", "majority")),
        ]
        for pair, row in found.items()
        for (standardise, network), s in row.items()
    ]
    head = ["pair", "network", "standardise", "source validation", "target test", "linear", "1-NN", "majority"]
    means = []
    for candidate in VECTORS:
        values = [row[candidate].validation for row in found.values() if candidate in row]
        means.append(f"{candidate[1]}, {candidate[0]}: {np.mean(values):.3f} over {len(values)} pairs of vectors")
    note = (
        f"`source_only`, {SETTINGS['steps']} steps, mean over {SETTINGS['seeds']} seeds, at most {MOST} examples of a "
        f"split. Source validation chooses; mean: {'; '.join(means)}. The target's test and the baselines beside it "
        "(of scikit-learn, on features of the same scale) were looked at afterwards."
    )
    return "\n\n" + Table([head, *body], note).markdown()


if __name__ == "__main__":
    script(main)
