"""What needs no network: majority, nearest neighbour, a linear model and the shallow classics, as rows of the table."""

import warnings
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from typing import Any

import numpy as np

from tl_jax.core.batching import some
from tl_jax.core.files import keep_in_cache, user_cache
from tl_jax.core.sealed import digest, opened, seal
from tl_jax.data.domain import known
from tl_jax.kinds.predicting.scoring import scoring
from tl_jax.kinds.predicting.table import ALSO, Row, cells
from tl_jax.kinds.transductive.reading import READING
from tl_jax.run.plan.problem import Problem
from tl_jax.run.plan.scaling import scaled
from tl_jax.run.plan.types import Setup
from tl_jax.run.report.table import Table
from tl_jax.run.store.contents import contents
from tl_jax.shallow import LARGEST, SHALLOW, WIDE
from tl_jax.shallow.components import nearest

MODALITIES = ("vector", "text", "series")
"""The modalities that have them."""
ROWS = 10_000
VALUES = 10_000_000
"""Training examples, and numbers in them, beyond which some examples are drawn once."""
OF_TRAINING = (
    *("network", "methods", "seeds", "sweep", "steps", "batch_size", "eval_every", "select", "freeze", "clip_norm"),
    *("lam", "lam_schedule", "lr", "lr_schedule", "weight_decay", "optimizer", "lr_new", "precision", "pretrain_steps"),
)
"""The settings that say nothing to a baseline."""
SEED = None
"""Nothing is drawn at random: one row each."""


REMARKS = {
    "majority": "baseline: the source's most frequent class",
    "nearest_neighbour": "baseline: the nearest of the source (1-NN)",
    "logistic_regression": "baseline: linear, of scikit-learn",
    "mean": "baseline: the source's mean",
    "nearest_neighbours": "baseline: the five nearest of the source",
    "ridge": "baseline: linear, of scikit-learn",
    **dict.fromkeys(SHALLOW, "classic, then 1-NN"),
}
"""What a table says of rows that need no network."""


def records(setup: Setup) -> list[dict[str, Any]]:
    """A record of each baseline, as in baselines.json; [] where there are none.

    Trained on the sources' training examples, standardised as source_only has them; series are flat, texts are counts
    of their token ids in rows of length 1. Fitted again they give the same; runs of a sweep find them in the cache, by
    all that can change them.
    """
    target = setup.problem.target
    if target.modality not in MODALITIES or not known(target.test.y).any():
        return []
    cache = user_cache() / "baselines" / f"{_key(setup)}.json"
    try:
        return opened(cache.read_bytes())
    except (OSError, ValueError):  # not there, or damaged
        found = _records(setup)
        keep_in_cache(cache, seal(found).encode())
        return found


def _key(setup: Setup) -> str:
    """A digest of the data, this package's code, scikit-learn's version and every setting but those of training."""
    said = {name: value for name, value in setup.config.to_json().items() if name not in OF_TRAINING}
    return digest([contents(setup), said, version("scikit-learn"), ROWS, VALUES])


def beneath(setup: Setup, table: Table, records: Sequence[Mapping[str, Any]]) -> Table:
    """The table with the rows of baselines under it, whose one score stands in the column of the last step."""
    metric = scoring(setup.problem).shown
    scores = lambda last: {n: [last[f"target/{n}"]] for n in (metric, *ALSO) if f"target/{n}" in last}
    found = []
    for record in records:
        said = ", ".join(filter(None, (REMARKS[record["method"]], record["baseline"])))
        of = scores(record["selectors"]["last"])
        found.append(Row(record["method"], {}, {"last": of.pop(metric), **of}, said))
    note = " Baselines: trained on the source's training examples, tested once on the target's; nothing is chosen."
    if any(record["method"] in SHALLOW for record in records):
        note += " Classics see the target's test examples, unlabelled."
    return Table([*table.cells, *cells(setup.config, found, (READING, metric))[1:]], table.note + note)


def _records(setup: Setup) -> list[dict[str, Any]]:
    from threadpoolctl import threadpool_limits

    problem, by = scaled(setup.config, setup.problem, False), scoring(setup.problem)
    x, y, share = _training(problem)
    rows = known(problem.target.test.y)
    test = _flat(problem, problem.target.test.x[rows])

    def record(name: str, outputs: np.ndarray, share: str) -> dict[str, Any]:
        metrics = by.every(outputs, problem.target.test.y[rows])
        last = {f"target/{key}": value for key, value in metrics.items() if key not in ("nll", "ece")}
        about = {**setup.config.described(name), "network": "", "baseline": share}
        return {**about, "seed": SEED, "values": {}, "selectors": {"last": {"step": 0, **last}}}

    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a fit ends by its limit of steps
        models = _models(problem.values, y).items()
        found = [record(name, _outputs(model.fit(x, y), test, problem), share) for name, model in models]
        return found + [record(*classic) for classic in _classics(problem, (x, y), test)]


def _classics(problem: Problem, source: tuple[Any, np.ndarray], test: Any) -> list[tuple[str, np.ndarray, str]]:
    """(name, log-probabilities of the test examples, of what it is) of each shallow method on vectors with classes.

    They see the unlabelled examples of the target that are tested on as well as those of training: what they find for
    one example is found for all together. [] where the test examples alone are too many.
    """
    if problem.values or problem.target.modality != "vector":
        return []
    x_s, y_s = source
    more = _flat(problem, problem.target.train.x)
    most = LARGEST if x_s.shape[1] <= WIDE else LARGEST // 2
    if len(test) > most // 2 or len(np.unique(y_s)) < 2:
        return []
    mine = np.sort(some(len(y_s), most // 2))
    others = np.sort(some(len(more), max(0, most - len(mine) - len(test))))
    total = sum(int(known(source.train.y).sum()) for source in problem.sources)
    share = f"on {len(mine)} of {total} training examples" if len(mine) < total else ""
    x_s, y_s, x_t = x_s[mine], y_s[mine], np.concatenate([test, more[others]])
    found = []
    for name, adapt in SHALLOW.items():
        z_s, z_t = adapt(x_s, y_s, x_t)
        said = np.eye(len(problem.target.classes))[nearest(z_s, y_s, z_t[: len(test)])]
        found.append((name, np.log(np.maximum(said, 1e-13)), share))
    return found


def _training(problem: Problem) -> tuple[Any, np.ndarray, str]:
    """x, y of the sources' labelled training examples and, in words, which of them these are."""
    most = min(ROWS, max(2, VALUES // max(1, problem.target.train.x[0].size)))
    rows = [np.flatnonzero(known(source.train.y)) for source in problem.sources]
    total, first = sum(map(len, rows)), 0
    chosen, parts = np.sort(some(total, most)), []
    for source, mine in zip(problem.sources, rows, strict=True):
        here = mine[chosen[(chosen >= first) & (chosen < first + len(mine))] - first]
        parts.append((source.train.x[here], source.train.y[here]))
        first += len(mine)
    x, y = map(np.concatenate, zip(*parts, strict=True))
    share = f"on {len(y)} of {total} training examples" if len(y) < total else ""
    return _flat(problem, x), y, share


def _flat(problem: Problem, x: np.ndarray) -> Any:
    """x as rows of numbers; of token ids how often each stands in a text, rows of length 1 (sparse)."""
    if problem.target.modality != "text":
        return np.asarray(x.reshape(len(x), -1), np.float32)
    from scipy.sparse import csr_array
    from sklearn.preprocessing import normalize

    width = 1 + max(int(p.x.max(initial=0)) for d in problem.domains for p in d.splits.values())
    text, _ = place = np.nonzero(x)
    return normalize(csr_array((np.ones(len(text), np.float32), (text, x[place])), shape=(len(x), width)))


def _models(values: bool, y: np.ndarray) -> Mapping[str, Any]:
    """{name: a scikit-learn model} for these labels."""
    from sklearn.dummy import DummyClassifier, DummyRegressor
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor

    if values:
        return {"mean": DummyRegressor(), "nearest_neighbours": KNeighborsRegressor(min(5, len(y))), "ridge": Ridge()}
    found = {"majority": DummyClassifier(strategy="most_frequent"), "nearest_neighbour": KNeighborsClassifier(1)}
    return found | ({"logistic_regression": LogisticRegression(max_iter=300)} if len(np.unique(y)) > 1 else {})


def _outputs(model: Any, x: Any, problem: Problem) -> np.ndarray:
    """Log-probabilities [n, classes], -30 for a class that the training examples lack; values in units of training."""
    if problem.values:
        center, scale = problem.units
        return ((np.asarray(model.predict(x), np.float64) - center) / scale).reshape(-1, 1)
    found = np.full((x.shape[0], len(problem.target.classes)), -30.0)
    found[:, model.classes_] = np.log(np.maximum(model.predict_proba(x), 1e-13))
    return found
