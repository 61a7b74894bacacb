"""The command line that remakes a run, and those of a table's cells."""

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tl_jax.core.errors import UserError
from tl_jax.data.benchmarks.table import BENCHMARKS
from tl_jax.data.load import SCHEMES
from tl_jax.data.spec import SCHEME_FREE, parse
from tl_jax.kinds.table import kind_of
from tl_jax.naming.from_python import HANDED
from tl_jax.run.settings.config import Config
from tl_jax.run.settings.settings import Setting
from tl_jax.run.store.claim import CONFIG
from tl_jax.sweep.asked.values import CALLED, SETTINGS
from tl_jax.sweep.plan import config_of
from tl_jax.sweep.tables.collect import Row, read
from tl_jax.sweep.tables.pivot import Pivot
from tl_jax.sweep.tables.words import named, said, settled


def words(config: Config) -> list[str]:
    """Its domains, and what differs from the defaults of its kind, as flags; parsed they give an equal config.

    Raises UserError for what was handed over from Python.
    """
    word, kind = config.kind, kind_of(config)
    shown = kind.planning.pair
    found = [word]
    for name, one in SETTINGS.items():
        value, usual = getattr(config, name), getattr(kind.defaults, name)
        always = name == "source" or (name == "target" and shown)
        if name == "labels_per_class" and config.label_fraction:
            always, usual = bool(value), ()  # the default gives way to --label_fraction
        if name != "kind" and (always or value != usual):
            _check(name, value, config)
            found += _flags(CALLED.get(word, {}).get(name, one.flag), one, value)
    return found


def _flags(flag: str, one: Setting, value: Any) -> list[str]:
    shown = one.form.show(value)
    if one.form.flag == "bool":
        return [f"--{'' if value else 'no'}{flag}"]
    return [f"--{flag}={text}" for text in (shown if isinstance(shown, list) else [shown])]


def _check(name: str, value: Any, config: Config) -> None:
    """Raises UserError for a value that no flag can say."""
    texts = [text for text in (value if isinstance(value, tuple) else (value,)) if isinstance(text, str)]
    foreign = [text for text in texts if text.startswith(HANDED)]
    if name in ("source", "target"):
        foreign += [text for text in texts if not _readable(text)]
    if foreign:
        raise UserError(f"made from Python, which handed over {', '.join(foreign)} as {name}")


def _readable(text: str) -> bool:
    spec = parse(text)
    name = spec.path.partition("/")[0].partition("@")[0]
    return name in BENCHMARKS if spec.scheme == SCHEME_FREE else spec.scheme in SCHEMES


def line(run: Path) -> str:
    """Of a run directory, for a shell; or why there is none, behind #."""
    try:
        return f"tl-jax {shlex.join(words(config_of(read(run / CONFIG))))}"
    except UserError as error:
        return f"# no command line: {error}"


def commands(pivoted: Pivot, rows: Sequence[Row]) -> str:
    """For every cell the runs that its number is of: the cell, digest, commit and directory, then the line.

    A run that several cells are of stands once, below all of them.
    """
    runs = {row["digest"]: row for row in rows}
    cells: dict[str, list[str]] = {}
    for (row, column), cell in pivoted.cells.items():
        shown = ", ".join(filter(None, [said(row), named(pivoted.asked.columns, column), settled(cell)]))
        for digest in cell.digests:
            cells.setdefault(digest, []).append(shown)
    parts = []
    for digest, names in cells.items():
        run = runs[digest]
        where = f"digest {digest}, commit {run['commit'] or 'unknown'}, {run['run_dir']}"
        parts.append("\n".join([*(f"# {name}" for name in names), f"# {where}", line(Path(run["run_dir"]))]))
    return "\n\n".join(parts) + "\n"
