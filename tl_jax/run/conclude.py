"""The end of a run: results.json and the table from what is stored, then the pictures, each on its own."""

import json
import shutil
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from tl_jax.core.files import say
from tl_jax.run.execute import divergence
from tl_jax.run.kind import Kind
from tl_jax.run.plan.types import Setup
from tl_jax.run.report.plots import save
from tl_jax.run.report.reporter import Reporter
from tl_jax.run.store.checkpoints import CHECKPOINTS
from tl_jax.run.store.chosen import FOLDER as SELECTED
from tl_jax.run.store.rundir import RunDirectory, bring

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FINISHED = "finished.json"
"""The mark of a complete run: how many records it has, and the name of its configuration. Written last."""


class Result(NamedTuple):
    """records: as in results.json; table: text; run_dir: where everything lies; complete: no job missing.

    stopped: whether it was asked to stop, were it as its last results were written.
    baselines: records of what needs no network (see kinds/transductive/baselines.py), as in baselines.json.
    """

    records: list[dict[str, Any]]
    table: str
    run_dir: Path
    complete: bool
    baselines: Sequence[Mapping[str, Any]] = ()
    stopped: bool = False


def conclude(
    kind: Kind,
    setup: Setup,
    directory: RunDirectory,
    reporter: Reporter,
    unfinished: Mapping[str, str],
    *,
    accepted: Sequence[str],
    trained: bool,
) -> Result:
    """Results and table, on disk and shown, before any picture is drawn.

    accepted: changes of the data, the weights or the code while the run went on; every record and the table say so.
    trained: whether this start was to train something; otherwise results.json should have been there as it is.
    """
    root = directory.root
    found = {t.job.name: kind.results(t, directory) for t in setup.tasks if t.job.name not in unfinished}
    late = {**unfinished, **{name: "its results are missing" for name, records in found.items() if not records}}
    mark = {"accepted_changes": list(accepted)} if accepted else {}
    records = [{**record, **mark} for records in found.values() for record in records]
    other = bring(root / "results.json", (json.dumps(records, indent=1, allow_nan=False) + "\n").encode())
    if other and not trained:
        say(f"{root / 'results.json'} was not what the records give: written again.")
    table, beside = kind.table(setup, records, late), [] if late else _baselines(kind, setup, reporter)
    if beside:
        bring(root / "baselines.json", (json.dumps(beside, indent=1, allow_nan=False) + "\n").encode())
        table = kind.beneath(setup, table, beside)
    if accepted:
        table = table._replace(note=f"{table.note} Changed while the run went on, and accepted: {'; '.join(accepted)}.")
    bring(root / "table.md", table.markdown().encode())
    kind.write(setup, directory)
    reporter.say("\n" + table.text())
    if not late and setup.options.pictures:
        _draw(lambda: kind.figures(setup, directory, divergence.alive(records)), root, reporter)
    if not late:
        mark = {"records": len(records), "digest": setup.config.digest()}
        bring(root / FINISHED, (json.dumps(mark) + "\n").encode())
        if setup.options.keep == "records":  # only now: until here a kill would cost what a checkpoint holds
            for folder in (CHECKPOINTS, SELECTED):
                shutil.rmtree(root / folder, ignore_errors=True)
    pictures = ", ".join(sorted(path.name for path in root.glob("*.png")))
    reporter.say(f"{root}: results.json, table.md, metrics.jsonl{', ' if pictures else ''}{pictures}")
    return Result(records, table.text(), root, not late, beside)


def _baselines(kind: Kind, setup: Setup, reporter: Reporter) -> list[dict[str, Any]]:
    """The baselines; where they cannot be fitted a line is all that it costs."""
    try:
        return kind.baselines(setup)
    except Exception as error:
        reporter.say(f"No baseline was fitted: {type(error).__name__}: {error}")
        return []


def _draw(figures: Callable[[], Mapping[str, Callable[[], "Figure"]]], root: Path, reporter: Reporter) -> None:
    """The pictures that are not there yet; one that fails costs a line and nothing else."""
    try:
        found = figures()
    except Exception as error:
        reporter.say(f"No picture was drawn: {type(error).__name__}: {error}")
        return
    for name, draw in found.items():
        try:
            if not (root / name).exists():
                save(draw(), root / name)
        except Exception as error:
            reporter.say(f"{name} was not drawn: {type(error).__name__}: {error}")
