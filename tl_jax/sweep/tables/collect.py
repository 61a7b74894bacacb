"""Any number of run directories into one table: a row a trial, with what was swept, where it lies and its digest."""

import contextlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tl_jax.core.errors import UserError, unknown
from tl_jax.run.conclude import FINISHED
from tl_jax.run.store.claim import CONFIG
from tl_jax.sweep.directory import PLAN, SweepDirectory
from tl_jax.sweep.halving import described
from tl_jax.sweep.plan import config_of
from tl_jax.sweep.tables import origin

Row = dict[str, Any]
RESULTS = "results.json"
IDENTITY = ("run_dir", "digest", "commit", "code", "data", "finished")
"""Columns that say where a row is from."""
TRIED = ("sweep", "seeds", "methods", "strategies")
"""Fields of a configuration that a row says for its one trial in other columns."""


class Found(NamedTuple):
    """rows: one a trial; notes: what is not in them, in words."""

    rows: list[Row]
    notes: list[str]


def collect(roots: Sequence[Path]) -> Found:
    """All trials of run directories, of sweeps, and of folders with such in them.

    Raises UserError where there is none, or a file of one cannot be read.
    """
    rows, notes, count = [], [], 0
    for root in roots:
        if not root.is_dir():
            raise UserError(f"{root} is no directory.")
        before = count
        for sweep in _sweeps(root):
            failed, said = _failed(sweep)
            rows += failed
            notes += said
        for run in _in_order(root):
            count += 1
            rows += _rows(run)
        if count == before and not rows:
            raise UserError(f"{root} has no {RESULTS} in it, nor below: name run directories or sweeps.")
    unfinished = len({row["run_dir"] for row in rows if not row["finished"]})
    if unfinished:
        notes.append(f"{unfinished} runs are not complete: their rows are of the methods that are.")
    return Found(rows, notes)


def _sweeps(root: Path) -> list[SweepDirectory]:
    return [SweepDirectory(root)] if (root / PLAN).exists() else []


def _in_order(root: Path) -> list[Path]:
    """The runs of a sweep as they were planned, others by name."""
    runs = list(_runs(root))
    place = {root / "runs" / run.name: i for sweep in _sweeps(root) for i, run in enumerate(sweep.plan().runs)}
    return sorted(runs, key=lambda run: place.get(run, -1)) if place else runs


def _runs(root: Path) -> Iterator[Path]:
    """Every folder with results below a folder, in order; what lies in a run directory is not looked into."""
    if (root / RESULTS).exists():
        yield root
        return
    with os.scandir(root) as entries:
        folders = sorted(entry.path for entry in entries if entry.is_dir(follow_symlinks=False))
    for folder in folders:
        yield from _runs(Path(folder))


def _rows(run: Path) -> list[Row]:
    records, config = read(run / RESULTS), read(run / CONFIG)
    same = {"run_dir": str(run), "digest": config_of(config).digest(), **origin.of(run)}
    same["finished"] = (run / FINISHED).exists()
    settings = {name: _plain(value) for name, value in config.items() if name not in TRIED and value not in ([], "")}
    return [{**same, **settings, **_flat(record)} for record in records]


def read(path: Path) -> Any:
    """A JSON file of a run. Raises UserError where it is none."""
    try:
        return json.loads(path.read_bytes())
    except (OSError, ValueError) as error:
        raise UserError(f"{path} cannot be read ({error}). The line of the run makes it anew.") from None


def _plain(value: Any) -> Any:
    """A setting as one cell."""
    if isinstance(value, list):
        return "+".join("=".join(map(str, one)) if isinstance(one, list) else str(one) for one in value)
    return value


def _flat(record: Mapping[str, Any]) -> Row:
    """{'values': {'lam': 1}, 'selectors': {'last': {'step': 8}}} -> {'lam': 1, 'last/step': 8}."""
    row = {name: value for name, value in record.items() if not isinstance(value, dict | list)}
    row |= record.get("values", {})
    for selector, scores in record.get("selectors", {}).items():
        row |= {f"{selector}/{name}": value for name, value in scores.items()}
    for name in ("source", "target"):
        row.setdefault(name, "")
    return {**row, "pair": f"{row['source']} -> {row['target']}"}


def _failed(sweep: SweepDirectory) -> tuple[list[Row], list[str]]:
    """The trials of runs none of which stayed finite, as rows; what else is missing, in words."""
    plan = sweep.plan()
    rows, missing = [], dict[str, int]()
    for state in sweep.states(plan):
        if state.state in ("finished", "dropped"):
            continue
        run, diverged = sweep.run(state.name), False
        with contextlib.suppress(OSError, ValueError, KeyError):
            diverged = bool(json.loads(sweep.failure(state.name).read_bytes())["diverged"])
        one_job = len(plan.run(state.name).config.methods) * len(plan.run(state.name).config.strategies or "1") == 1
        if not diverged or not one_job or (run / RESULTS).exists():
            missing[state.state] = missing.get(state.state, 0) + 1
            continue
        config = plan.run(state.name).config
        plain = {name: _plain(v) for name, v in config.to_json().items() if name not in TRIED and v not in ([], "")}
        same = {"run_dir": str(run), "digest": config.digest(), **origin.of(run), "finished": True, **plain}
        for method in config.methods:
            for values in _crossed(config.swept):
                record = {**config.described(method), "values": values, "diverged": state.message}
                rows += [{**same, **_flat({**record, "seed": seed})} for seed in config.seeds]
    said = described(sweep, plan)
    said += [f"{sweep.root}: {n} runs are {what} and not in this table." for what, n in missing.items()]
    return rows, said


def _crossed(swept: Sequence[tuple[str, Sequence[float]]]) -> list[dict[str, float]]:
    found: list[dict[str, float]] = [{}]
    for name, values in swept:
        found = [{**point, name: value} for point in found for value in values]
    return found


def columns(rows: Iterable[Mapping[str, Any]]) -> list[str]:
    """All columns in the order in which they are met."""
    return list(dict.fromkeys(name for row in rows for name in row))


def kept(rows: Sequence[Row], where: Sequence[str]) -> list[Row]:
    """The rows that have such values: 'lam=1', 'method!=dann'. Raises UserError for unknown names, or if none is."""
    found = list(rows)
    for text in where:
        name, equals, value = text.partition("=")
        unequal, name = name.endswith("!"), name.removesuffix("!").strip()
        known = columns(rows)
        if not equals or name not in known:
            raise unknown("name in --where", name, [one for one in known if "/" not in one])
        found = [row for row in found if _is(row.get(name), value.strip()) != unequal]
        if not found:
            values = sorted({str(row.get(name)) for row in rows})
            raise UserError(f"--where={text}: no trial is left. {name} is one of {', '.join(values[:20])}.")
    return found


def _is(value: Any, text: str) -> bool:
    if isinstance(value, int | float) and not isinstance(value, bool):
        with contextlib.suppress(ValueError):
            return float(text) == value
    return str(value) == text
