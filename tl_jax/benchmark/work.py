"""The runs of a table: those that are not finished are done, one after the other, and what each took is kept."""

import dataclasses
import json
from collections.abc import Callable, Sequence
from pathlib import Path

from tl_jax.benchmark.costs import Clock
from tl_jax.benchmark.rows import Asked, Part, Place, Row
from tl_jax.benchmark.stream import streamed
from tl_jax.core.errors import DivergedError, UserError
from tl_jax.core.files import PART, write_atomically
from tl_jax.kinds.table import kind_of, prepare
from tl_jax.run import experiment
from tl_jax.run.conclude import FINISHED
from tl_jax.run.plan.types import Options
from tl_jax.run.store.lock import NAME as LOCK
from tl_jax.run.store.rundir import write_json

MARK = "benchmark.json"
"""What a directory of a table holds: what was asked for."""


def settled(asked: Asked, options: Options, root: Path) -> tuple[Asked, Place]:
    """With the network's name and the problem of the pair. Raises UserError for a pair that cannot be compared."""
    base = dataclasses.replace(asked.base, methods=("source_only",), pretrain_steps=0)
    setup = prepare(base, options, {})
    target = setup.problem.target
    if setup.problem.values or not target.labelled:
        lacks = "has values as labels" if setup.problem.values else "has no labels"
        raise UserError(f"{target.name} {lacks}: the table compares accuracies. Use a target with classes.")
    named = dataclasses.replace(asked.base, network=setup.config.network)
    return asked._replace(base=named), Place(root, setup.problem)


def parts_of(rows: Sequence[Row]) -> list[Part]:
    """Every run once, those first that others begin from."""
    every = [part for row in rows for part in (*row.before, *row.parts)]
    return list({part.name: part for part in every}.values())


def refuse_foreign(root: Path) -> None:
    """Raises UserError for what is no directory of a table and cannot become one."""
    if root.exists() and not root.is_dir():
        raise UserError(f"--dir={root} is a file. Use a new --dir.")
    names = {path.name for path in root.iterdir()} if root.is_dir() else set()
    if MARK not in names and any(name != LOCK and not name.endswith(PART) for name in names):
        raise UserError(f"{root} is not empty and holds no {MARK}: not of a benchmark. Use a new --dir.")


def check(parts: Sequence[Part], place: Place, options: Options) -> None:
    """Raises UserError for what a kind of transfer cannot take, before anything is trained: one run of each kind that
    begins from no file."""
    of_kind = {part.config.kind: part for part in reversed(parts) if not part.config.init_from}
    for part in of_kind.values():
        if not is_done(place, part):
            prepare(part.config, options, {})


def is_done(place: Place, part: Part) -> bool:
    """Whether a run is finished, or known to diverge."""
    return (place.run(part) / FINISHED).exists() or _failure(place, part).exists()


def do(asked: Asked, rows: Sequence[Row], place: Place, options: Options, say: Callable[[str], None]) -> bool:
    """Do what is not done. Returns False where the user stopped it."""
    write_json(place.root / MARK, {**asked._asdict(), "base": asked.base.to_json()})
    parts = parts_of(rows)
    for i, part in enumerate(parts, 1):
        if is_done(place, part):
            continue
        say(f"[{i}/{len(parts)}] {part.name}")
        if not _run(part, place, options):
            return False
    for row in rows:
        if row.stream and not stream_path(place, row).exists() and not diverged(place, row.before[0]):
            say(f"{row.name}: the test examples as a stream")
            _stream(row, place, options)
    return True


def _run(part: Part, place: Place, options: Options) -> bool:
    clock = Clock(costs_path(place, part))
    options = dataclasses.replace(options, run_dir=str(place.run(part)))
    try:
        with clock.running():
            return experiment.run(clock.watching(kind_of(part.config)), part.config, options, {}).complete
    except DivergedError as error:
        path = _failure(place, part)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, {"diverged": str(error)})
        return True


def _stream(row: Row, place: Place, options: Options) -> None:
    (part,) = row.before
    found = streamed(row.job, prepare(part.config, options, {}), place.run(part))
    path = stream_path(place, row)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, (json.dumps(found._asdict(), indent=1) + "\n").encode())


def costs_path(place: Place, part: Part) -> Path:
    """Where it is kept what a run took."""
    return place.root / "costs" / f"{part.name}.json"


def stream_path(place: Place, row: Row) -> Path:
    """Where it is kept what came of a stream."""
    return place.root / "streams" / f"{row.job}-{row.before[0].name}.json"


def _failure(place: Place, part: Part) -> Path:
    return place.root / "failed" / f"{part.name}.json"


def diverged(place: Place, part: Part) -> str:
    """Why none of a run's trials stayed finite, or ""."""
    path = _failure(place, part)
    return json.loads(path.read_bytes())["diverged"] if path.exists() else ""
