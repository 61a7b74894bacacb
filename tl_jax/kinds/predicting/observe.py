"""A run that predicts classes or values: what is stored, and last, selected and oracle, computed afterwards."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from tl_jax.core.batching import some
from tl_jax.evaluation.label_free import mixtures
from tl_jax.evaluation.label_free.criteria import needs_features, needs_mixtures
from tl_jax.evaluation.label_free.record import Seen
from tl_jax.evaluation.label_free.selection import Selection, refusal, select
from tl_jax.kinds.predicting import interpolation, predictions, records, unscored
from tl_jax.kinds.predicting import table as scores
from tl_jax.kinds.predicting.records import Evaluated
from tl_jax.kinds.predicting.scoring import Scoring, label_free_scores, scoring
from tl_jax.kinds.predicting.table import Reading
from tl_jax.run.execute import divergence
from tl_jax.run.plan.problem import Problem
from tl_jax.run.plan.types import Setup, Task
from tl_jax.run.report import plots
from tl_jax.run.report.table import Table
from tl_jax.run.settings.config import AMOUNTS, TARGET_VAL, Config
from tl_jax.run.store.rundir import RunDirectory, read_lines
from tl_jax.training.state import State
from tl_jax.training.trials import Programs, predict_all, predict_mixed

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SHOWN_IN_EMBEDDING = 300
Stored = Mapping[int, Mapping[str, np.ndarray]]


def observe(task: Task, programs: Programs, states: State) -> dict[str, np.ndarray]:
    """Predictions [T, n, ...] of every set that the config's selection reads; features where its criterion does."""
    select, sets = task.config.select, {}
    for name, (domain, x) in task.problem.evaluation(task.job.method).items():
        if name == "target" and select == TARGET_VAL:
            continue
        out = predict_all(programs, states, x, domain)
        read = needs_features(select) and not name.startswith("target_")
        features = np.asarray(out.features, np.float32) if read else None
        unknown = None if out.unknown is None else np.asarray(out.unknown, np.float32)
        sets[name] = Seen(np.asarray(out.logits, np.float32), features, unknown)
        if name == "target" and needs_mixtures(select):
            sets[name] = _mixed(programs, states, x, sets[name])
    return records.stored(sets)


def _mixed(programs: Programs, states: State, x: np.ndarray, seen: Seen) -> Seen:
    """The same with logits of every example mixed with a partner, which depends on what a trial predicts."""
    of_trials = [mixtures.partners(logits.argmax(1)) for logits in seen.logits]
    said = lambda others: np.asarray(predict_mixed(programs, states, x, np.stack(others), mixtures.SHARE), np.float32)
    return seen._replace(intra=said([one.intra for one in of_trials]), inter=said([one.inter for one in of_trials]))


def score(task: Task, observed: Mapping[str, np.ndarray]) -> dict[str, list[float | None]]:
    """Accuracy on the target's test split, of the classes that the network knows; R2 of values.

    Without a known label there the scores that need none.
    """
    labels, by = task.problem.target.test.y, scoring(task.problem, task.config.select)
    seen = records.evaluated(observed)
    if unscored.is_unscored(task.problem) and seen.target is not None:
        source = task.problem.source_labels()
        trials = [records.of_trial(observed, i).record(source) for i in range(len(task.job.trials))]
        free = [label_free_scores(by, trial) for trial in trials]
        return {name: [scores[name] for scores in free] for name in free[0]}
    return {f"target/{by.shown}": [by.of(outputs, labels) for outputs in seen.test.logits]}


def criterion(task: Task, observed: Mapping[str, np.ndarray]) -> list[float | None]:
    """What the config's criterion says of every trial at one step (of TARGET_VAL the labels of the validation split);
    None where it refuses, or the trial diverged."""
    by, source = scoring(task.problem, task.config.select), task.problem.source_labels()
    found: list[float | None] = []
    for i in range(len(task.job.trials)):
        if divergence.described(observed, i):
            found.append(None)
            continue
        trial = records.of_trial(observed, i)
        if task.config.select == TARGET_VAL:
            found.append(by.of(trial.validation.logits, task.problem.target.validation.y))
            continue
        seen = trial.record(source)
        score = float(by.criteria[task.config.select](seen))
        found.append(None if refusal(seen, score) else score)
    return found


def features(task: Task, programs: Programs, states: State) -> dict[str, np.ndarray]:
    """The first finite trial's features of some target test and source validation examples, with their labels; every
    trial's accuracy along the way it came, where its method predicts between."""
    problem = task.problem
    shown = {"target": ("target", problem.target.test)}
    if problem.sources:
        shown["source"] = (problem.statistics_of(task.job.method, 0), problem.sources[0].validation)
    found = {}
    for side, (domain, part) in shown.items():
        rows = np.sort(some(len(part.x), SHOWN_IN_EMBEDDING))
        out = predict_all(programs, states, part.x[rows], domain)
        first = next((i for i, f in enumerate(out.features) if np.isfinite(f).all()), 0)
        found |= {side: out.features[first], f"{side}_y": part.y[rows]}
    return found | interpolation.measured(task, states)


def finished(task: Task, programs: Programs, states: State) -> dict[str, np.ndarray]:
    """What is kept of a job at its end: features to be shown, and what is predicted of every example of the target."""
    return features(task, programs, states) | predictions.everything(task, programs, states)


def results(task: Task, directory: RunDirectory) -> list[dict[str, Any]]:
    """One record a trial of a finished job; none if its last evaluation is not there yet."""
    config, job = task.config, task.job
    stored = directory.records(job.name)
    if job.steps not in stored:
        return []
    kept = directory.features(job.name)
    along = {name: x for name, x in kept.items() if name.startswith("interpolation/")}
    found = []
    for i, (seed, values) in enumerate(job.trials):
        scores: dict[str, Any] = divergence.described(stored[job.steps], i)
        if not scores:
            seen = {step: records.of_trial(arrays, i) for step, arrays in stored.items()}
            scores = {"selectors": _selectors(config, task.problem, seen), **interpolation.described(along, i)}
        found.append({**config.described(job.name), "seed": seed, "values": dict(values), **scores})
    return found


def _selectors(config: Config, problem: Problem, stored: Mapping[int, Evaluated]) -> dict[str, Any]:
    """{"last", "selected", "oracle"}: the step of each and every metric there; no oracle without validation labels."""
    labels, by = problem.target.validation.y, scoring(problem, config.select)
    scores = {step: by.of(seen.validation.logits, labels) for step, seen in stored.items()}
    scored = {step: score for step, score in scores.items() if score is not None}
    best = max(scored, key=lambda step: (scored[step], step), default=max(stored))
    at = lambda step: {"step": step, **_metrics(stored[step], problem, by)}
    last = at(max(stored))
    if config.select == TARGET_VAL:
        chosen = Selection(best, scored.get(best), {}, "")
    else:
        unlabelled = {step: seen.record(problem.source_labels()) for step, seen in stored.items()}
        chosen = select(unlabelled.items(), by.criteria[config.select])
        if unscored.is_unscored(problem):
            last["score"] = by.criteria[config.select](unlabelled[last["step"]])
    selected = {**at(chosen.step), "criterion": config.select, "score": chosen.score}
    if chosen.note:
        selected["note"] = chosen.note
    oracle = {"oracle": {**at(best), "criterion": "target validation labels", "score": scored[best]}} if scored else {}
    return {"last": last, "selected": selected, **oracle}


def _metrics(seen: Evaluated, problem: Problem, by: Scoring) -> dict[str, float]:
    target = by.every(seen.test.logits, problem.target.test.y, seen.test.unknown)
    scores = {f"target/{name}": value for name, value in target.items()}
    source = seen.of_sources(problem.source_labels())
    # Not where a head was trained on the target's features alone.
    shown = by.of(source.logits, source.y) if source else None
    return scores if shown is None else {**scores, f"source/{by.shown}": shown}


def table(reading: Reading, setup: Setup, records: Sequence[Mapping[str, Any]], unfinished: Mapping[str, str]) -> Table:
    """The table of a run, and the curves between weights under it."""
    metric, notes = scoring(setup.problem).shown, setup.footnote
    finite = divergence.alive(records)
    if unscored.is_unscored(setup.problem):
        found = unscored.table(setup.config, finite, unfinished, metric)
        return found._replace(note=found.note + notes + divergence.note(records))
    found = scores.table(setup.config, records, unfinished, (reading, metric))
    return found._replace(note=found.note + unscored.basis(setup.problem.target) + notes + interpolation.note(finite))


def figures(
    reading: Reading, setup: Setup, directory: RunDirectory, records: Sequence[Mapping[str, Any]]
) -> dict[str, Callable[[], "Figure"]]:
    """Learning curves, samples and embedding; the metric over labels where their number is swept."""
    names = [task.job.name for task in setup.tasks]
    domains = (*setup.problem.sources, setup.problem.target)
    amounts = [name for name in AMOUNTS if getattr(setup.config, name)]
    metric, bare = scoring(setup.problem).shown, unscored.is_unscored(setup.problem)
    titled = plots.panels(metric, {task.job.name: _labelled(task) for task in setup.tasks})
    titled = (unscored.panel(setup.config.select), titled[1]) if bare else titled
    found = {
        "curves.png": lambda: plots.curves(read_lines(directory.root / "metrics.jsonl"), names, titled),
        "samples.png": lambda: plots.samples(domains),
        "embedding.png": lambda: plots.embedding(
            _embedded(reading, setup, directory, records), setup.problem.target.classes
        ),
    }
    if interpolation.groups(records):
        found["interpolation.png"] = lambda: interpolation.figure(records)
    few = amounts and not bare
    return found | ({"labels.png": lambda: plots.few_labels(records, amounts[0], metric)} if few else {})


def _labelled(task: Task) -> str:
    """Whose labels the supervised term of a job is of (see `Problem.training`)."""
    labels = task.job.method.labels
    if task.rows is not None and labels == "source":
        labels = "both" if task.problem.sources else "target"
    return {"both": "both domains", "target": "the target", "source": "the source"}.get(labels, "the source")


def _embedded(
    reading: Reading, setup: Setup, directory: RunDirectory, records: Sequence[Mapping[str, Any]]
) -> dict[str, dict[str, np.ndarray]]:
    """Features of source_only (or the first method) and of the best other one by the label-free score."""
    scores: dict[str, list[float]] = {}
    for record in records:
        scores.setdefault(record["method"], []).append(record["selectors"]["selected"]["score"] or 0.0)
    first = "source_only" if "source_only" in scores else next(iter(scores))
    others = [name for name in scores if name not in (first, *reading.bounds)]
    best = max(others, key=lambda name: float(np.mean(scores[name])), default=None)
    shown = [task.job.name for task in setup.tasks if task.job.name in (first, best)]
    return {name: directory.features(name) for name in shown}
