"""From what a job has written to its numbers: record by record, of which one is in memory at a time."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from tl_jax.data.domain import known
from tl_jax.evaluation.metrics import predictions
from tl_jax.evaluation.open_set import rejected
from tl_jax.kinds.predicting import records
from tl_jax.kinds.predicting.records import Evaluated
from tl_jax.programs.analyze.measured import adversary, confidence, mistakes, shares
from tl_jax.programs.analyze.measured.found import Numbers, Scores, Space
from tl_jax.programs.analyze.measured.numbers import counts, reliability, shift, space, used
from tl_jax.programs.analyze.measured.numbers import shares as of_classes
from tl_jax.programs.analyze.measured.read import Known, Run, Written
from tl_jax.run.execute import divergence

FAR = 12
"""Evaluations at which the domains' distance is measured, evenly over those that are stored."""
OWN_RULE = ("target/", "label_free/")
Found = dict[str, Any]


def numbers(run: Run, job: Written, seed: int | None = None) -> Numbers | None:
    """A job's numbers, of one seed or all, at the swept values that the run's criterion prefers; None of no trial that
    stayed finite."""
    manifest = run.directory.manifest(job.name)
    steps = sorted(int(name[:8]) for name in manifest.files if name[:8].isdigit() and name.endswith(".npz"))
    last = next((s for s in reversed(steps) if run.directory.record(job.name, s)), None)
    newest = run.directory.record(job.name, last) if last is not None else {}
    reasons = [divergence.described(newest, i).get("diverged", "") for i in range(len(job.trials))]
    asked = [i for i, (s, _) in enumerate(job.trials) if seed in (None, s)]
    values = _preferred(job, [i for i in asked if not reasons[i]])
    mine = [i for i in asked if job.trials[i][1] == values and not reasons[i]]
    if values is None or not mine:
        return None
    lines = [line for line in job.lines if line["values"] == values and seed in (None, line["seed"])]
    metric = "r2" if job.known.values else "accuracy"
    logged = _logged(lines)
    swept = [name for name in values if len({v[name] for _, v in job.trials if name in v}) > 1]
    method = shares.method_of(job.name, run.kind.methods)
    at = lambda step: shares.weights(method, run.config, values, step, job.steps) if method else (lambda name: 1.0)
    found = {
        "scores": _scores(job, mine, metric),
        "curve": _curve(lines, f"target/{metric}"),
        "logged": logged,
        "shares": shares.weighted(logged, at) if method else {},
        "plane": {name: x for name, x in job.features.items() if name in ("source", "target", "source_y", "target_y")},
        **_over_time(run, job, steps, mine),
    }
    asked_of = adversary.told(run, job, newest, reasons[0]) if newest else None
    if isinstance(asked_of, str):
        found["lacks"]["domains"] = asked_of
    else:
        found["told"] = asked_of
    if newest:
        found |= _at_the_end(job, [records.of_trial(newest, i) for i in mine], mine)
    return Numbers(
        job=job.name,
        label=", ".join([job.name, *(f"{name} {values[name]:g}" for name in swept)]),
        seeds=tuple(job.trials[i][0] for i in mine),
        step=max((line["step"] for line in lines), default=0),
        steps=job.steps,
        metric=metric,
        diverged=tuple(f"seed {job.trials[i][0]} at {reasons[i]}" for i in asked if reasons[i]),
        **found,
    )


def _preferred(job: Written, alive: Sequence[int]) -> Mapping[str, float] | None:
    """The values of highest mean score by the run's criterion, a label-free one; the first where it says nothing."""
    found: dict[tuple, list[float]] = {}
    for i in alive:
        chosen = job.results[i].get("selectors", {}).get("selected", {}) if i < len(job.results) else {}
        found.setdefault(tuple(job.trials[i][1].items()), []).append(chosen.get("score") or -np.inf)
    return dict(max(found, key=lambda values: float(np.mean(found[values])))) if found else None


def _scores(job: Written, mine: Sequence[int], metric: str) -> Scores:
    kept = [job.results[i]["selectors"] for i in mine if i < len(job.results) and "selectors" in job.results[i]]
    of = lambda which, name: tuple(s[which][name] for s in kept if name in s.get(which, {}))
    name = f"target/{metric}"
    steps = of("selected", "step"), of("oracle", "step")
    return Scores(of("last", name), of("selected", name), of("oracle", name), *steps, of("last", f"source/{metric}"))


def _curve(lines: Sequence[Mapping[str, Any]], name: str) -> dict[int, tuple[float, ...]]:
    steps = sorted({line["step"] for line in lines})
    found = {s: tuple(x[name] for x in lines if x["step"] == s and x.get(name) is not None) for s in steps}
    return {step: values for step, values in found.items() if values}


def _logged(lines: Sequence[Mapping[str, Any]]) -> dict[str, dict[int, float]]:
    """{name: {step: mean over seeds}} of every number but the target's."""
    names = [n for n in dict.fromkeys(n for x in lines for n in x) if not n.startswith(OWN_RULE)]
    curves = {n: _curve(lines, n) for n in names if n not in ("job", "step", "seed", "values")}
    return {n: {s: float(np.mean(v)) for s, v in curve.items()} for n, curve in curves.items()}


def _over_time(run: Run, job: Written, steps: Sequence[int], mine: Sequence[int]) -> Found:
    """Classes in use and labels given at every evaluation; the first trial's features' norms and ranks where they were
    stored, and at some the distance of the domains."""
    inside, spaces, given, lost = {}, {}, {}, []
    far = {steps[i] for i in np.linspace(0, len(steps) - 1, FAR).round().astype(int)} if steps else set()
    how = confidence.rule_of(job.name, job.trials[mine[0]][1])
    for step in steps:
        record = run.directory.record(job.name, step)
        if not record:
            lost.append(step)
            continue
        seen = [records.of_trial(record, i) for i in mine]
        logits = [(one.target or one.test).logits for one in seen]
        if not job.known.values:
            inside[step] = float(np.mean([used(of_classes(predictions(z), z.shape[1])) for z in logits]))
            given[step] = [confidence.given(how, one, job.known.y, step / job.steps) for one in seen]
        ours = seen[0].target
        if ours is not None and ours.features is not None:
            theirs = [x.features for x in seen[0].sources if x.features is not None]
            spaces[step] = space(ours.features, np.concatenate(theirs) if theirs else None, step in far)
    lacks = {"records": f"{len(lost)} of {len(steps)} evaluations are not stored any more, or damaged."} if lost else {}
    if not spaces and "target" in job.features:
        spaces[job.steps] = space(job.features["target"], job.features.get("source"))
    whole: dict[int, Space] = {step: found for step, found in spaces.items() if found is not None}
    labels = confidence.pseudo(how, given) if given else None
    return {"used": inside, "spaces": whole, "pseudo": labels, "lacks": lacks}


def _at_the_end(job: Written, seen: Sequence[Evaluated], mine: Sequence[int]) -> Found:
    """What the last evaluation says: of the target's labels where they are known, and of shares of the classes."""
    if job.known.values:
        return _of_values(job, seen[0], mine[0])
    classes, y = seen[0].test.logits.shape[1], job.known.y
    known_ = job.known if len(job.known.classes) == classes else job.known._replace(classes=_numbered(classes))
    logits = np.stack([one.test.logits for one in seen])
    said = [_said(known_, one) for one in seen]
    names = (*known_.classes, "unknown") if known_.opened else known_.classes
    rows = np.flatnonzero(known(y) & (y < len(names)))
    found: Found = {"names": names, "said": np.mean([of_classes(s, classes) for s in said], 0)}
    source = _of_sources(job.known, seen)
    inside = rows[y[rows] < classes]
    if source is not None:
        found["shift"] = shift(source, logits, y[inside] if len(inside) else None)
    if len(rows):
        each = np.array([counts(y[rows], s[rows], len(names)) for s in said], float)
        with np.errstate(invalid="ignore"):
            right = np.diagonal(each, axis1=1, axis2=2) / np.bincount(y[rows], minlength=len(names))
        found |= {
            "confusion": each.mean(0),
            "recall": right,
            "labels": of_classes(y[inside], classes),
            "reliability": reliability(logits[:, inside], y[inside]),
            "mistakes": mistakes.of_classes(known_, rows, seen[0].test.logits, said[0]),
        }
    return found


def _of_values(job: Written, seen: Evaluated, trial: int) -> Found:
    units, stored = job.known.units, job.features.get("predicted/test/value")
    if units is not None:
        value = units[0] + units[1] * seen.test.logits[:, 0].astype(np.float64)
    elif stored is not None:
        value = stored[trial]
    else:
        return {}
    rows = known(job.known.y)
    pairs = (job.known.y[rows], value[rows]) if rows.any() else None
    return {"pairs": pairs, "mistakes": mistakes.of_values(job.known, value) if rows.any() else ()}


def _said(known_: Known, one: Evaluated) -> np.ndarray:
    """Predicted classes [n] of the test split; len(classes) where an open label space is rejected."""
    said = predictions(one.test.logits)
    return np.where(rejected(one.test.logits, one.test.unknown), len(known_.classes), said) if known_.opened else said


def _of_sources(known_: Known, seen: Sequence[Evaluated]) -> tuple[np.ndarray, np.ndarray] | None:
    """Logits [t, n, c] and labels [n] of the sources' validation examples; None where there are none."""
    parts = [one.of_sources(known_.source_y) for one in seen]
    found = [part for part in parts if part is not None]
    return (np.stack([part.logits for part in found]), found[0].y) if found else None


def _numbered(classes: int) -> tuple[str, ...]:
    return tuple(f"class {k}" for k in range(classes))
