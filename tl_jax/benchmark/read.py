"""From what the runs left to scores by row and number of labels, and to what each row took."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from tl_jax.benchmark import costs
from tl_jax.benchmark.rows import Part, Place, Row
from tl_jax.benchmark.work import costs_path, diverged, stream_path
from tl_jax.core.sealed import opened
from tl_jax.run.store.claim import CONTENTS
from tl_jax.run.store.contents import code
from tl_jax.sweep.tables.pivot import Asked, Pivot, pivot

LAST, SELECTED = "last/accuracy", "selected/accuracy"
ABOVE = ("benchmark/", "launch/", "sweep/", "programs/")
"""Folders of the package that change no number of a run."""


class Cost(NamedTuple):
    """Of a row: parameters that its last step moves, operations and milliseconds of a step of one trial, processor
    seconds in all; whole: whether no start of it was killed."""

    parameters: int | None
    flops: float | None
    ms: float | None
    seconds: float | None
    whole: bool


class Shown(NamedTuple):
    """A row as the table shows it; why: what there is no score of, in words."""

    row: Row
    cost: Cost
    why: str


class Found(NamedTuple):
    """Everything that the tables show; trials: one a trial, as `sweep/tables` has them; pretraining, total: processor
    seconds that rows share, and of all runs; notes: what is to be said of the runs."""

    rows: list[Shown]
    trials: list[dict[str, Any]]
    labels: tuple[str, ...]
    pretraining: float
    total: float
    notes: list[str]

    def pivoted(self, score: str) -> Pivot | None:
        """Rows by numbers of labels; None where no trial has the score."""
        if not any(score in trial for trial in self.trials):
            return None
        found = pivot(self.trials, Asked(("kind", "row"), ("labels",), (), score))
        return found._replace(rows=[_key(one.row) for one in self.rows], columns=[(n,) for n in self.labels])


def _key(row: Row) -> tuple[str, str]:
    return row.sort, row.name


def read(rows: Sequence[Row], labels: tuple[str, ...], place: Place) -> Found:
    """Of a table whose runs are all done."""
    parts = {part.name: part for row in rows for part in (*row.before, *row.parts)}
    took = {name: costs.read(costs_path(place, part)) for name, part in parts.items()}
    sharing: dict[tuple[str, str], int] = {}
    for row in rows:
        for part in row.parts:
            sharing[part.name, row.job] = sharing.get((part.name, row.job), 0) + 1
    shown, trials = [], []
    for row in rows:
        stream = json.loads(stream_path(place, row).read_bytes()) if _streamed(row, place) else {}
        shown.append(Shown(row, _cost(row, took, stream, sharing), _why(row, place, stream)))
        trials += _trials(row, place, stream)
    pretraining = sum(of.get("pretrain", {}).get("seconds", 0.0) for of in took.values())
    total = pretraining + sum(one.cost.seconds or 0.0 for one in shown)
    return Found(shown, trials, labels, pretraining, total, _notes(parts, place))


def _streamed(row: Row, place: Place) -> bool:
    return row.stream and stream_path(place, row).exists()


def _why(row: Row, place: Place, stream: Mapping[str, Any]) -> str:
    said = [diverged(place, part) for part in (*row.before, *row.parts)]
    return "; ".join(filter(None, (*said, stream.get("why", ""))))


def _trials(row: Row, place: Place, stream: Mapping[str, Any]) -> list[dict[str, Any]]:
    if row.stream:
        return [_trial(row, row.before[0], record, "0", place) for record in stream.get("records", ())]
    found = []
    for part in row.parts:
        path = place.run(part) / "results.json"
        for record in json.loads(path.read_bytes()) if path.exists() else ():
            mine = record["method"] == row.job and (row.lam is None or record["values"]["lam"] == row.lam)
            if mine:
                labels = part.labels or f"{record['values']['labels_per_class']:g}"
                found.append(_trial(row, part, record, labels, place))
    return found


def _trial(row: Row, part: Part, record: Mapping[str, Any], labels: str, place: Place) -> dict[str, Any]:
    trial = {"kind": row.sort, "row": row.name, "labels": labels, "seed": record["seed"]}
    trial |= {"digest": part.config.digest(), "run_dir": str(place.run(part)), "finished": True}
    if "diverged" in record:
        return {**trial, "diverged": record["diverged"]}
    for selector in ("last", "selected") if row.chosen else ("last",):
        scores = record["selectors"].get(selector, {})
        if row.score in scores:
            trial |= {f"{selector}/accuracy": scores[row.score], f"{selector}/step": scores["step"]}
            trial |= {"selected/criterion": scores["criterion"]} if "criterion" in scores else {}
    return trial


def _cost(
    row: Row, took: Mapping[str, costs.Costs], stream: Mapping[str, Any], sharing: Mapping[tuple[str, str], int]
) -> Cost:
    """What is its own of its runs, the source models of its own and the runs that it begins from."""
    own = [took[part.name].get(row.job, {}) for part in row.parts] or [stream.get("cost", {})]
    shares = [sharing[part.name, row.job] for part in row.parts] or [1]
    seconds = sum(one.get("seconds", 0.0) / share for one, share in zip(own, shares, strict=True))
    seconds += sum(took[part.name].get(f"{row.job}: source model", {}).get("seconds", 0.0) for part in row.parts)
    seconds += sum(of.get("seconds", 0.0) for part in row.before for of in took[part.name].values())
    times = [one["ms"] for one in own if one.get("ms") is not None]
    first = next((one for one in own if "parameters" in one), {})
    whole = not any(took[part.name].get("", {}).get("open") for part in (*row.before, *row.parts))
    ms = sum(times) / len(times) if times else None
    return Cost(first.get("parameters"), first.get("flops"), ms, seconds or None, whole)


def _notes(parts: Mapping[str, Part], place: Place) -> list[str]:
    """Runs that another state of the code has made."""
    now, other = dict(code()), 0
    for part in parts.values():
        path = place.run(part) / CONTENTS
        if path.exists():
            then = opened(path.read_bytes())["made"]["code"]
            files = {f for f in then.keys() | now.keys() if f.endswith(".py") and not f.startswith(ABOVE)}
            other += any(then.get(f) != now.get(f) for f in files)
    return [f"{other} of {len(parts)} runs were made by another state of the code than this one."] if other else []
