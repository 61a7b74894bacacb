"""A run without labels: the features that are stored, and the protocols that judge them afterwards, with labels."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.batching import some
from tl_jax.core.processes import on_host
from tl_jax.data.views.augment import augment
from tl_jax.evaluation.protocols import Sets, judge, near
from tl_jax.evaluation.representation import rankme
from tl_jax.kinds.unsupervised import retrieval
from tl_jax.kinds.unsupervised import table as tables
from tl_jax.models.files.pretrained import save
from tl_jax.run.execute import divergence
from tl_jax.run.plan.problem import Problem
from tl_jax.run.plan.types import Setup, Task
from tl_jax.run.report import plots
from tl_jax.run.report.table import Table
from tl_jax.run.store.names import slug
from tl_jax.run.store.rundir import RunDirectory, read_lines
from tl_jax.training.forward import stats_of
from tl_jax.training.objective import split_params
from tl_jax.training.predict import averaged
from tl_jax.training.state import State
from tl_jax.training.trials import Programs, predict_all

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 5_000
"""Examples of a set that are judged at the end; larger sets are drawn from once, by a fixed seed."""
MEASURES = "measures.json"
CURVE = 500
"""Examples of a set that are judged on the way, for the learning curves: the first of those."""
PANELS = (("target/knn_accuracy", f"kNN accuracy on the target, of {CURVE}"), ("rankme", "effective rank (RankMe)"))


def examples(problem: Problem, most: int) -> Sets:
    """x of the three sets that are judged."""
    sets = ([source.train.x for source in problem.sources], [problem.target.train.x], [problem.target.test.x])
    return Sets(*(taken(parts, most) for parts in sets))


def taken(parts: Sequence[np.ndarray], most: int) -> np.ndarray:
    """The chosen rows of several arrays as if they were one; no array is copied whole."""
    rows = some(sum(map(len, parts)), most)
    out = np.empty((len(rows), *parts[0].shape[1:]), parts[0].dtype)
    first = 0
    for part in parts:
        here = (rows >= first) & (rows < first + len(part))
        out[here] = part[rows[here] - first]
        first += len(part)
    return out


def labels(problem: Problem, most: int) -> Sets:
    """y of the same examples: read by the protocols alone."""
    gallery = np.concatenate([source.train.y for source in problem.sources])
    return Sets(*(y[some(len(y), most)] for y in (gallery, problem.target.train.y, problem.target.test.y)))


def observe(task: Task, programs: Programs, states: State) -> dict[str, np.ndarray]:
    """Features [T, n, d] of the three sets, few of them on the way; at the end also of two views of the queries."""
    last = int(np.min(on_host(states.step))) == task.job.steps  # a trial that diverged stands at the end
    sets = examples(task.problem, MOST if last else CURVE)
    found = {name: _features(programs, states, x) for name, x in sets._asdict().items()}
    if last:
        for i in (0, 1):
            view = _strong(jax.random.key(i), sets.queries[:CURVE])
            found[f"view{i}"] = _features(programs, states, np.asarray(view))
    return found


@jax.jit
def _strong(key: jax.Array, x: jax.Array) -> jax.Array:
    return augment("strong", key, x)


def _features(programs: Programs, states: State, x: np.ndarray) -> np.ndarray:
    return np.asarray(predict_all(programs, states, x, "target").features, np.float32)


def score(task: Task, observed: Mapping[str, np.ndarray]) -> dict[str, list[float | None]]:
    """kNN accuracy (None without labels) and effective rank of the first examples of every set."""
    y = Sets(*map(jnp.asarray, labels(task.problem, CURVE)))
    found: dict[str, list[float | None]] = {"target/knn_accuracy": [], "rankme": []}
    for trial in zip(observed["train"], observed["queries"], strict=True):
        train, queries = (jnp.asarray(x[:CURVE]) for x in trial)
        found["target/knn_accuracy"].append(near((queries, y.queries), (train, y.train)))
        found["rankme"].append(float(rankme(queries)))
    return found


def results(task: Task, directory: RunDirectory) -> list[dict[str, Any]]:
    """One record a trial of a finished job: every protocol on the features of the last step."""
    config, job = task.config, task.job
    stored = last_record(directory, task)
    if not stored:
        return []
    shared = {**config.described(job.name), "pretrain_on": config.pretrain_on}
    # Judging large sets takes longer than reading them, and a run that is complete may be asked for again.
    kept = directory.read_file(job.name, MEASURES)
    measures = json.loads(kept) if kept else _judged(task, stored)
    if not kept:
        directory.keep_file(job.name, MEASURES, json.dumps(measures, allow_nan=False).encode())
    found = [divergence.described(stored, i) or _last(job.steps, one) for i, one in enumerate(measures)]
    return [
        {**shared, "seed": seed, "values": dict(values), **scores}
        for (seed, values), scores in zip(job.trials, found, strict=True)
    ]


def _last(step: int, measures: Mapping[str, float]) -> dict[str, Any]:
    return {"selectors": {"last": {"step": step, **measures}}}


def _judged(task: Task, stored: Mapping[str, np.ndarray]) -> list[dict[str, float]]:
    """Every measure, trial by trial; none of one that diverged."""
    y, found = labels(task.problem, MOST), []
    for i in range(len(task.job.trials)):
        if divergence.described(stored, i):
            found.append({})
            continue
        features = Sets(*(stored[name][i] for name in Sets._fields))
        same = i and all(np.array_equal(x[i], x[i - 1]) for x in stored.values())  # pixels know no seed, nor diverge
        found.append(found[-1] if same else judge(features, y, (stored["view0"][i], stored["view1"][i])))
    return found


def last_record(directory: RunDirectory, task: Task) -> dict[str, np.ndarray]:
    """What was observed at the last step of a job; empty if it is not finished."""
    return directory.record(task.job.name, task.job.steps)


def keep(task: Task, directory: RunDirectory, states: State) -> None:
    """Write the first trial's trunk, of the weights that predict (a teacher's, where it does), without the head."""
    job = task.job
    if not job.method.trained:
        return
    own: Any = job.method.predict and states.memory
    params, stats = (own["params"], own["stats"]) if own else (split_params(averaged(states).params)[0], states.stats)
    trunk = {group: tree for group, tree in params.items() if group != "head"}
    first = jax.tree.map(lambda x: np.asarray(x[0]), (trunk, stats_of(stats, "target")))
    path = trunk_path(directory, job.name)
    save(str(path), *first, naming="plain")
    directory.note_file(job.name, path.name)


def trunk_path(directory: RunDirectory, job: str) -> Path:
    """Where the trunk of a job lies: what other kinds of transfer begin from."""
    return directory.root / f"{slug(job)}.safetensors"


def table(setup: Setup, records: Sequence[Mapping[str, Any]], unfinished: Mapping[str, str]) -> Table:
    """The table of the trials that stayed finite, a note on the others, and which labels it rests on."""
    found = tables.table(setup.config, divergence.alive(records), unfinished)
    notes = tables.basis(setup.problem.domains) + setup.footnote + divergence.note(records)
    return found._replace(note=found.note + notes)


def figures(
    setup: Setup, directory: RunDirectory, records: Sequence[Mapping[str, Any]]
) -> dict[str, Callable[[], "Figure"]]:
    """Learning curves, samples, embedding, and for images the queries with their nearest neighbours."""
    del records
    trained = [task for task in setup.tasks if task.job.method.trained]
    domains, classes = (*setup.problem.sources, setup.problem.target), setup.problem.target.classes
    shown = _compared(setup)

    def embedded() -> dict[str, dict[str, np.ndarray]]:
        return {task.job.name: directory.features(task.job.name) for task in shown}

    def sheet() -> "Figure":
        x, y = examples(setup.problem, MOST), labels(setup.problem, MOST)
        hits = {task.job.name: last_record(directory, task) for task in shown}
        return retrieval.contact_sheet(x, y, {name: (r["queries"][0], r["gallery"][0]) for name, r in hits.items()})

    def curves() -> "Figure":
        return plots.curves(read_lines(directory.root / "metrics.jsonl"), [task.job.name for task in trained], PANELS)

    found = {
        "samples.png": lambda: plots.samples(domains),
        "embedding.png": lambda: plots.embedding(embedded(), classes),
    }
    found |= {"curves.png": curves} if trained else {}
    return found | ({"retrieval.png": sheet} if setup.problem.target.modality == "image" else {})


def _compared(setup: Setup) -> list[Task]:
    """The last trained job and the first baseline, or the first job where there is none."""
    trained = [task for task in setup.tasks if task.job.method.trained]
    others = [task for task in setup.tasks if not task.job.method.trained] or trained[:1]
    return list({task.job.name: task for task in (*others[:1], *trained[-1:])}.values())
