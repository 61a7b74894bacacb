"""Pages of many runs, a method and a transfer each in a directory of its own, which machines may share out.

`python -m experiments.NAME 2/6` does every sixth run from the second on and writes no page; without an argument all are
done, or read where they are finished, and the page is written; `python -m experiments.NAME page` writes it of the runs
that are finished, of which no more than the small files need to be there (*.json).
"""

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from experiments.page import finished, write
from tl_jax import fit
from tl_jax.core.errors import UserError
from tl_jax.kinds.transductive.reading import READING
from tl_jax.run.conclude import FINISHED
from tl_jax.run.execute import divergence
from tl_jax.run.report.table import mean_std
from tl_jax.sweep.tables.collect import RESULTS, collect, read
from tl_jax.sweep.tables.pages import as_markdown
from tl_jax.sweep.tables.pivot import Asked, pivot

Records = Sequence[Mapping[str, Any]]
SELECTORS = ("last", "selected", "oracle")


@dataclass(frozen=True)
class Transfer:
    """A column of the page: from where to where, and what its runs are given besides the method."""

    name: str
    source: Sequence[str]
    target: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    methods: Sequence[str] = ()
    """Those of the page's methods that it is run with; none named: all."""


def page(name: str, title: str, command: str, about: str, records: Mapping[str, Records], *, mean: bool) -> None:
    """docs/results/NAME.md: what there is to say, and a table for each way to choose a step, or one of one transfer."""
    if len(records) == 1:
        tables = ranked(*records.values())
    else:
        tables = "\n\n".join(f"## {selector}\n\n{table(records, selector, mean)}" for selector in SELECTORS)
    write(Path(f"docs/results/{name}.md"), title, command, f"{about}\n\n{tables}\n")


def done(name: str, transfers: Sequence[Transfer], methods: Sequence[str]) -> Mapping[str, Records]:
    """{transfer: the records of all methods}, of runs in runs/NAME/TRANSFER/METHOD, begun or gone on with.

    Raises UserError for a share that is none, SystemExit after the share that was asked for.
    """
    runs = [(t, method) for method in methods for t in transfers if not t.methods or method in t.methods]
    written = sys.argv[1:] == ["page"]
    first, of = (0, 1) if written else _share(sys.argv[1:])
    records: dict[str, list[Mapping[str, Any]]] = {transfer.name: [] for transfer in transfers}
    for transfer, method in runs[first::of]:
        place = Path(f"runs/{name}/{transfer.name}/{method.partition('(')[0]}".replace(" ", "_"))
        records[transfer.name] += _written(place) if written else _run(transfer, method, place)
    if of > 1:
        raise SystemExit(0)
    return records


def _run(transfer: Transfer, method: str, place: Path) -> Records:
    result = fit(list(transfer.source), transfer.target, (method,), run_dir=str(place), **transfer.settings)
    return finished(result).records


def _written(place: Path) -> Records:
    """What a finished run has written, nothing of another."""
    return read(place / RESULTS) if (place / FINISHED).exists() else []


def pivoted(name: str, asked: Asked) -> str:
    """A table of all runs in runs/NAME as Markdown; `asked.best` is chosen by the runs' own criterion."""
    return as_markdown(pivot(collect([Path(f"runs/{name}")]).rows, asked)).strip()


def page_of_settings(name: str, title: str, command: str, about: str, tables: Mapping[str, Asked]) -> None:
    """docs/results/NAME.md: what there is to say, and under each of the titles its table (see `pivoted`)."""
    body = "\n\n".join([about, *(f"## {head}\n\n{pivoted(name, asked)}" for head, asked in tables.items())])
    write(Path(f"docs/results/{name}.md"), title, command, f"{body}\n")


def _share(words: Sequence[str]) -> tuple[int, int]:
    """'2/6' -> (1, 6)."""
    if not words:
        return 0, 1
    part, _, of = words[0].partition("/")
    if len(words) > 1 or not (part.isdecimal() and of.isdecimal() and 1 <= int(part) <= int(of)):
        raise UserError(f"{' '.join(words)}: give a share of the runs, as in 2/6, page, or nothing for all of them.")
    return int(part) - 1, int(of)


def table(records: Mapping[str, Records], selector: str, mean: bool = True) -> str:
    """A row a method, a column a transfer and, where asked for, one for their mean, as Markdown.

    The mean has the sample standard deviation of itself over the seeds. A method of which a trial diverged has no mean:
    how many did is in its place.
    """
    heads = ["method", *records, *["mean"] * mean]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for method in dict.fromkeys(record["method"] for of in records.values() for record in of):
        scores = {name: _scores(of, method, selector) for name, of in records.items()}
        cells = [_plain(found) if mean else mean_std(found) for found in scores.values()]
        if mean:
            cells.append(_mean(records, scores, method))
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


def ranked(records: Records) -> str:
    """A row a method, a column a way to choose a step, as Markdown: bounds first, then by the mean at the last step.

    The last column has what the table of a run says beside a method, and how many of its trials diverged.
    """
    every = {record["method"]: [r for r in records if r["method"] == record["method"]] for record in records}
    last = {(method, ()): _by_seed(of, method, "last") for method, of in every.items()}
    reached = lambda method: float(np.mean([*last[method, ()].values()] or [0.0]))
    lines = [f"| method | {' | '.join(SELECTORS)} | |", f"|{'---|' * (len(SELECTORS) + 2)}"]
    for method in sorted(every, key=lambda method: (method not in READING.bounds, -reached(method))):
        cells = [mean_std(_scores(records, method, selector)) for selector in SELECTORS]
        said = (READING.remark((method, ()), last), divergence.remark(every[method]))
        lines.append(f"| {method} | {' | '.join(cells)} | {'; '.join(filter(None, said))} |")
    return "\n".join(lines)


def _plain(found: Sequence[float]) -> str:
    return f"{np.mean(found):.3f}" if found else "-"


def _mean(records: Mapping[str, Records], scores: Mapping[str, list[float]], method: str) -> str:
    """The mean over the transfers of each seed, then over the seeds; or how many trials diverged."""
    most = max(len([record for record in of if record["method"] == method]) for of in records.values())
    lost = sum(most - len(found) for found in scores.values())
    if lost:
        return f"{lost} of {most * len(scores)} trials diverged"
    return mean_std(np.mean(list(scores.values()), 0).tolist())


def _scores(records: Records, method: str, selector: str) -> list[float]:
    return list(_by_seed(records, method, selector).values())


def _by_seed(records: Records, method: str, selector: str) -> dict[int, float]:
    """Of the trials that went to their end."""
    mine = sorted((r for r in divergence.alive(records) if r["method"] == method), key=lambda r: r["seed"])
    return {record["seed"]: record["selectors"][selector]["target/accuracy"] for record in mine}
