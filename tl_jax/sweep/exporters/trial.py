"""A trial as the exporters see it: one name for ever, its settings, what was measured at every step and at the end."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tl_jax.core.sealed import digest
from tl_jax.run.store.rundir import read_lines
from tl_jax.sweep.tables.collect import IDENTITY, Row

BESIDES = ("job", "step", "seed", "values")
"""What a line of metrics.jsonl holds that is no metric."""


class Trial(NamedTuple):
    """identity: by the digest of its configuration, its method, seed and values; content: a digest of all the rest.

    steps: {step: {metric: value}}; results: {"selected/target/accuracy": value}.
    """

    identity: str
    name: str
    settings: Mapping[str, Any]
    origin: Mapping[str, str]
    steps: Mapping[int, Mapping[str, float]]
    results: Mapping[str, float]

    @property
    def content(self) -> str:
        """Changes when a run has gone on."""
        return digest([self.settings, list(self.steps.items()), self.results])

    @property
    def about(self) -> str:
        """Its settings and where it is from, as JSON."""
        return json.dumps({**self.settings, **self.origin}, indent=1)


def trials(rows: Iterable[Row]) -> list[Trial]:
    """Every row with its lines of metrics.jsonl."""
    lines: dict[str, list[dict[str, Any]]] = {}
    found = []
    for row in rows:
        if row["run_dir"] not in lines:
            lines[row["run_dir"]] = read_lines(Path(row["run_dir"]) / "metrics.jsonl")
        found.append(_trial(row, [line for line in lines[row["run_dir"]] if _of(line, row)]))
    return found


def _of(line: Mapping[str, Any], row: Row) -> bool:
    """Whether a line is of a row's trial: one job (a method, or a strategy), seed, and values."""
    if line["seed"] != row["seed"] or line["job"] not in (row.get("strategy"), row.get("method")):
        return False
    return all(row.get(name) == value for name, value in line["values"].items())


def _trial(row: Row, lines: Sequence[Mapping[str, Any]]) -> Trial:
    settings = {name: value for name, value in row.items() if name not in IDENTITY and "/" not in name}
    settings = {name: value for name, value in settings.items() if value is not None}
    results = {name: float(v) for name, v in row.items() if "/" in name and isinstance(v, int | float)}
    numbers = {name: value for name, value in settings.items() if isinstance(value, int | float)}
    of = lines[0]["values"] if lines else {name: v for name, v in numbers.items() if name != "seed"}
    job = row.get("strategy") or row["method"]
    said = [f"{name}={value:g}" for name, value in of.items()]
    steps = {line["step"]: _metrics(line) for line in lines}
    origin = {"run_dir": row["run_dir"], "digest": row["digest"], "commit": row["commit"] or "unknown"}
    identity = f"{row['digest']}-{digest([row['method'], job, row['pair'], row['seed'], *said])[:8]}"
    return Trial(identity, " ".join([job, *said, f"seed={row['seed']}"]), settings, origin, steps, results)


def _metrics(line: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(v) for name, v in line.items() if name not in BESIDES and isinstance(v, int | float)}


Exporter = Callable[[Sequence[Trial], str], int]
"""(trials, place) -> how many were written; the others were there as they are."""
