"""Any number of run directories, or sweeps, into one table.

    tl-jax report sweeps/a
    tl-jax report runs --rows=method --columns=pair --best=lam --against=source_only
    tl-jax report sweeps/a --rows=method --columns=lam --where=network=cnn --format=latex --out=tables
    tl-jax report sweeps/a --best=lam --interval=0.95 --ranks --cd --commands --out=tables
    tl-jax report sweeps/b --best=lr --choose=criterion,leave_one_domain_out,oracle
    tl-jax report sweeps/a --plot=lam --out=tables
    tl-jax report sweeps/a --export=tensorboard --to=exported

A cell is the mean over seeds. Trials of several settings are never averaged: a name that takes several values is named
in --rows, --columns or --best, or fixed by --where. --best chooses its value for every cell by the run's own criterion,
which knows no test label; with --choose also by domains left out of training (of a sweep with --choose), and by the
target's validation labels, for comparison only. --out writes all trials (CSV, and Parquet where pyarrow is installed),
the table in every format, and commands.txt: the line that remakes each cell.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from tl_jax.core.errors import UserError, require
from tl_jax.core.files import write_atomically
from tl_jax.launch.flags import FLAGS
from tl_jax.sweep.exporters.table import EXPORTERS, export
from tl_jax.sweep.pictures.ablation import ablation, check
from tl_jax.sweep.pictures.diagram import diagram
from tl_jax.sweep.pictures.look import keep
from tl_jax.sweep.tables.choose import CHOICES, apart
from tl_jax.sweep.tables.collect import Row, collect, kept
from tl_jax.sweep.tables.command import commands
from tl_jax.sweep.tables.compare import TESTS, compare, sizes_of
from tl_jax.sweep.tables.files import as_csv, keep_rows
from tl_jax.sweep.tables.origin import differing
from tl_jax.sweep.tables.pages import as_latex, as_markdown
from tl_jax.sweep.tables.pivot import Asked, Pivot, pivot
from tl_jax.sweep.tables.ranks import friedman, ranked
from tl_jax.sweep.tables.render import Beside, table

WORDS = True
ENDINGS = {"markdown": "md", "latex": "tex", "csv": "csv"}
FORMATS = ("text", *ENDINGS)


def define() -> None:
    """The flags of a report."""
    flags.DEFINE_list("rows", ["method"], "Names whose values are the rows.")
    flags.DEFINE_list("columns", ["pair"], "Names whose values are the columns.")
    flags.DEFINE_list("best", [], "Names whose values are chosen for each cell without test labels.")
    flags.DEFINE_list("choose", [], f"By whom --best is chosen, side by side: {', '.join(CHOICES)}.")
    flags.DEFINE_multi_string("where", [], "Repeatable. name=value: only trials that have it; name!=value: all others.")
    flags.DEFINE_string("score", "", "As in last/target/accuracy; by default the selected step's accuracy (or R2).")
    flags.DEFINE_float("interval", 0.0, "Level of a confidence interval behind ±, as in 0.95; 0: the deviation.")
    flags.DEFINE_bool("ranks", False, "Show every row's mean rank over the columns.")
    flags.DEFINE_string("against", "", "Compare every row with this one, or with 'best', by a paired test.")
    flags.DEFINE_string("test", TESTS[0], f"Which test: {', '.join(TESTS)} (of one column, whose seeds share data).")
    flags.DEFINE_bool("cd", False, "Friedman's test over the columns, and its critical-difference diagram in --out.")
    flags.DEFINE_list(
        "plot", [], "Swept numbers, drawn into --out instead of a table: one as lines, two as maps, more."
    )
    flags.DEFINE_string(
        "export", "", f"Write every trial for another tool, instead of a table: {', '.join(EXPORTERS)}."
    )
    flags.DEFINE_string("to", "", "Where: a folder; for mlflow also the address of a tracking server.")
    flags.DEFINE_bool("commands", False, "Print the command lines that remake every cell.")
    flags.DEFINE_string("format", "text", f"What is printed: {', '.join(FORMATS)}.")
    flags.DEFINE_string(
        "out", "", "Folder for trials.csv, trials.parquet, table.md, table.tex, table.csv and commands.txt."
    )


def begin(words: list[str]) -> None:
    """The flags, before they are read."""
    define()


def main(*words: str) -> None:
    """Directories to a table."""
    if not words:
        raise UserError("Name run directories, or sweeps, or folders with such in them.")
    report([Path(word) for word in words])


def report(roots: Sequence[Path]) -> None:
    """Print the table, and write it where --out says so."""
    _check()
    found = collect(roots)
    rows = kept(found.rows, FLAGS.where)
    if FLAGS.export:
        return print(*found.notes, export(rows, FLAGS.export, FLAGS.to), sep="\n")
    if FLAGS.plot:
        return _plot(rows, [*found.notes, *differing(rows)])
    choose = tuple(dict.fromkeys(FLAGS.choose))
    inner = [] if choose else sorted({row["run_dir"] for row in apart(rows)[1]})
    said = f"{len(inner)} runs leave a source of the others out: with --choose they are no columns of their own."
    notes = [*found.notes, *[said] * bool(inner)]
    pivoted = pivot(rows, Asked(tuple(FLAGS.rows), tuple(FLAGS.columns), tuple(FLAGS.best), FLAGS.score, choose))
    beside = _beside(pivoted, rows, [*notes, *differing(rows)])
    test = friedman(pivoted) if FLAGS.cd else None
    texts = {
        "text": table(pivoted, beside).text(),
        "markdown": as_markdown(pivoted, beside),
        "latex": as_latex(pivoted, beside),
        "csv": as_csv(pivoted, beside.level),
    }
    print(texts[FLAGS.format])
    if test:
        print(test.sentence, *keep(diagram(test), Path(FLAGS.out) / "cd"), sep="\n")
    if FLAGS.commands:
        print(commands(pivoted, rows))
    if FLAGS.out:
        folder = Path(FLAGS.out)
        said = keep_rows(folder, rows)
        files = {f"table.{ending}": texts[name] for name, ending in ENDINGS.items()}
        for name, text in {**files, "commands.txt": commands(pivoted, rows)}.items():
            write_atomically(folder / name, text.encode())
            said.append(str(folder / name))
        print("; ".join(said))


def _plot(rows: Sequence[Row], notes: Sequence[str]) -> None:
    """The picture of what was swept, instead of a table."""
    check(rows, FLAGS.plot)
    pivoted = pivot(rows, Asked(tuple(FLAGS.rows), tuple(FLAGS.plot), tuple(FLAGS.best), FLAGS.score))
    figure, said = ablation(pivoted, FLAGS.interval)
    files = keep(figure, Path(FLAGS.out) / f"ablation_{'_'.join(FLAGS.plot)}")
    print(*filter(None, [said, *notes, *files]), sep="\n")


def _check() -> None:
    """Raises UserError for flags that say nothing, before any file is read."""
    require("format", FLAGS.format, FORMATS)
    require("test", FLAGS.test, TESTS)
    for by in FLAGS.choose:
        require("--choose", by, CHOICES)
    if FLAGS.choose and not FLAGS.best:
        raise UserError("--choose says by whom --best is chosen: name what, as in --best=lr.")
    if not 0 <= FLAGS.interval < 1:
        raise UserError(f"--interval={FLAGS.interval:g}: a level between 0 and 1, as in 0.95.")
    for name in ("plot", "cd"):
        if getattr(FLAGS, name) and not FLAGS.out:
            raise UserError(f"--{name} draws into a folder: name it, as in --out=tables.")
    if FLAGS.to and not FLAGS.export:
        raise UserError(f"--to goes with --export: {', '.join(EXPORTERS)}.")
    if FLAGS["test"].present and not FLAGS.against:
        raise UserError("--test compares with a row: name it, as in --against=source_only, or --against=best.")


def _beside(pivoted: Pivot, rows: Sequence[Row], notes: Sequence[str]) -> Beside:
    compared = compare(pivoted, FLAGS.against, sizes_of(rows, FLAGS.test)) if FLAGS.against else None
    return Beside(compared, ranked(pivoted) if FLAGS.ranks else None, FLAGS.interval, notes)
