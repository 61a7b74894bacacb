"""From a run directory to its page."""

import json
import re
from collections.abc import Mapping, Sequence
from html import unescape
from pathlib import Path
from typing import Any

from tl_jax.core.errors import UserError
from tl_jax.core.files import write_atomically
from tl_jax.data.domain import Domain
from tl_jax.programs.analyze import parts, watched
from tl_jax.programs.analyze.measured.evaluations import numbers
from tl_jax.programs.analyze.measured.found import Finding, Numbers
from tl_jax.programs.analyze.measured.read import Run, read
from tl_jax.programs.analyze.page import MARK, Section, page, paragraph, table, text
from tl_jax.programs.analyze.words import findings
from tl_jax.programs.select import judged
from tl_jax.programs.trained.opened import NO_DOMAINS
from tl_jax.run.conclude import FINISHED
from tl_jax.run.plan.problem import describe
from tl_jax.run.report.table import Table

WHOLE = 6
"""Jobs that are shown in full."""
NAME = "analysis.html"


def analyze(
    root: Path,
    jobs: Sequence[str] = (),
    *,
    seed: int | None = None,
    out: Path | None = None,
    data_dir: str = "",
    domains: Mapping[str, Domain] = NO_DOMAINS,
) -> tuple[Path, list[Finding]]:
    """Write the page of a run, and say what its words are. jobs: those to be shown (all); seed: of one seed alone.

    domains: those by name that were handed over in Python. Raises UserError as `read` does, and where no trial of that
    seed stayed finite; nothing is written then.
    """
    run = read(root, jobs, data_dir, domains)
    if seed is not None and not any(seed == s for job in run.jobs for s, _ in job.trials):
        there = ", ".join(str(s) for s in dict.fromkeys(s for job in run.jobs for s, _ in job.trials))
        raise UserError(f"--seed={seed}: {root} has no trial of it. There are: {there}.")
    found = [one for job in run.jobs[:WHOLE] if (one := numbers(run, job, seed)) is not None]
    if not found:
        raise UserError(f"{root}: no trial that is asked for stayed finite. --job and --seed choose others.")
    said = findings(found)
    path = out or root / NAME
    write_atomically(path, _page(run, found, said).encode())
    return path, said


def _page(run: Run, found: Sequence[Numbers], said: Sequence[Finding]) -> str:
    config = run.config
    title = f"{' + '.join(config.source) or config.init_from} → {config.target}"
    state = "finished" if (run.root / FINISHED).exists() else "not finished"
    lead = (
        f"{config.kind}, {len(run.jobs)} methods, {len(config.seeds)} seeds, {config.steps} steps; {state}. {run.root}"
    )
    sections = [
        Section("run", "The run", _about(run, found)),
        Section("words", "In words", _words(said)),
        parts.curves(found),
        parts.classes(found),
        parts.calibration(found),
        parts.mistakes(found, run.why and "The data were not read."),
        parts.features(found),
        watched.domains(found),
        watched.labels(found),
        parts.shares(found),
        parts.choices(*_choices(run)),
    ]
    return page(title, lead, sections, f"Written by tl-jax analyze from what {run.root} holds; nothing was trained.")


def _about(run: Run, found: Sequence[Numbers]) -> str:
    config, default = run.config, run.kind.defaults
    every = {name: getattr(config, name) for name in config.__dataclass_fields__ if name not in ("kind", "seeds")}
    differs = {name: value for name, value in every.items() if value != getattr(default, name)}
    facts = [("seeds", ", ".join(map(str, config.seeds)))]
    facts += [(name, _shown(value)) for name, value in differs.items()]
    if run.setup is not None:
        facts += [("data", line.strip()) for line in describe(run.setup.problem.domains).splitlines()]
    facts += [("standing", ", ".join(f"{one.job}: step {one.step} of {one.steps}" for one in found))]
    facts += _environment(run.root)
    notes = [run.why and f"{run.why} Labels and names are those that the run kept, of up to 300 test examples."]
    if len(run.jobs) > WHOLE:
        late = ", ".join(job.name for job in run.jobs[WHOLE:])
        notes.append(f"Shown in full are the first {WHOLE} jobs; --job chooses. Not shown: {late}.")
    notes += [
        f"{one.label}: of its swept values those that {config.select} prefers." for one in found if one.label != one.job
    ]
    notes += [f"{one.label}: {one.lacks['records']}" for one in found if "records" in one.lacks]
    done = _table(run)
    shown = (
        table(done.cells) + paragraph(done.note, "note")
        if done
        else paragraph("No job has ended yet: there is no table.", "note")
    )
    rest = paragraph(
        "Settings that differ from this kind's defaults (auto: as it came out), and what made the numbers:", "note"
    )
    return shown + rest + table(facts, "facts") + "".join(paragraph(note, "note") for note in notes if note)


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        return (
            ", ".join(f"{x[0]}={_shown(x[1])}" if isinstance(x, tuple) and len(x) == 2 else str(x) for x in value)
            or "(none)"
        )
    return "(none)" if value is None or value == "" else f"{value:g}" if isinstance(value, float) else str(value)


def _environment(root: Path) -> list[tuple[str, str]]:
    try:
        kept = json.loads((root / "environment.json").read_text())
        versions = ", ".join(f"{name} {number or 'not installed'}" for name, number in kept["packages"].items())
        where = f"Python {kept['python']}, {kept['platform']} ({', '.join(dict.fromkeys(kept['devices']))})"
        later = f"; {len(kept['later'])} later starts differ" if kept.get("later") else ""
        return [("versions", f"{versions}; {where}{later}"), ("commit", kept.get("commit") or "not known")]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return [("versions", "not known: environment.json is lost or damaged")]


def _table(run: Run) -> Table | None:
    """The run's table: as it wrote it, or of the jobs that have ended where it has not."""
    path = run.root / "table.md"
    if not path.exists() or (run.setup is not None and not (run.root / FINISHED).exists()):
        records = [record for job in run.jobs for record in job.results]
        late = {job.name: "not finished" for job in run.jobs if not job.results}
        return run.kind.table(run.setup, records, late) if run.setup is not None and records else None
    rows, _, note = path.read_text().partition("\n\n")
    plain = lambda cell: re.sub(r"\\([\\|`])", r"\1", unescape(cell.strip()))
    lines = [[plain(cell) for cell in re.split(r"(?<!\\)\|", row.strip()[1:-1])] for row in rows.splitlines()]
    return Table([line for i, line in enumerate(lines) if i != 1], plain(note))


def _words(said: Sequence[Finding]) -> str:
    if not said:
        return paragraph("No rule has anything to say of these numbers.")
    line = lambda one: (
        f'<li class="{"good" if one.good else "try"}"><b>{"went well" if one.good else "to try"}</b>'
        f'{text(one.text)} <a href="#{one.part}">numbers</a>{MARK if one.labels else ""}</li>'
    )
    return f'<ul class="words">{"".join(map(line, said))}</ul>'


def _choices(run: Run) -> tuple[Table | None, str]:
    """What every criterion would have chosen, or why that cannot be said."""
    if run.setup is None:
        return None, "The labels of the target are not here as they were in the run, so no choice can be judged."
    names = {job.name for job in run.jobs}
    try:
        tasks = [task for task in run.setup.tasks if task.job.name in names]
        return judged(run.root, run.setup._replace(tasks=tasks), ()), ""
    except UserError as error:
        return None, str(error)
