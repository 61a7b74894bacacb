"""Any number of run directories, or sweeps, into one table.

    tl-jax report sweeps/a
    tl-jax report runs --rows=method --columns=pair --best=lam --against=source_only
    tl-jax report sweeps/a --rows=method --columns=lam --where=network=cnn --format=latex --out=tables

A cell is the mean over seeds. Trials of several settings are never averaged: a name that takes several values is named
in --rows, --columns or --best, or fixed by --where. --best chooses its value for every cell by the run's own criterion,
which knows no test label. --out writes all trials (CSV, and Parquet where pyarrow is installed) and the table in every
format.
"""

from collections.abc import Sequence
from pathlib import Path

from absl import flags

from tl_jax.core.errors import UserError, require
from tl_jax.core.files import write_atomically
from tl_jax.launch.flags import FLAGS
from tl_jax.sweep.tables import render
from tl_jax.sweep.tables.collect import collect, kept
from tl_jax.sweep.tables.compare import compare
from tl_jax.sweep.tables.pivot import Asked, pivot

WORDS = True
FORMATS = ("text", "markdown", "latex", "csv")


def define() -> None:
    """The flags of a report."""
    flags.DEFINE_list("rows", ["method"], "Names whose values are the rows.")
    flags.DEFINE_list("columns", ["pair"], "Names whose values are the columns.")
    flags.DEFINE_list("best", [], "Names whose values are chosen for each cell without test labels.")
    flags.DEFINE_multi_string("where", [], "Repeatable. name=value: only trials that have it; name!=value: all others.")
    flags.DEFINE_string("score", "", "As in last/target/accuracy; by default the selected step's accuracy (or R2).")
    flags.DEFINE_string("against", "", "Compare every row with this one, or with 'best', by a paired test.")
    flags.DEFINE_string("format", "text", f"What is printed: {', '.join(FORMATS)}.")
    flags.DEFINE_string("out", "", "Folder for trials.csv, trials.parquet, table.md, table.tex and table.csv.")


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
    require("format", FLAGS.format, FORMATS)
    found = collect(roots)
    rows = kept(found.rows, FLAGS.where)
    pivoted = pivot(rows, Asked(tuple(FLAGS.rows), tuple(FLAGS.columns), tuple(FLAGS.best), FLAGS.score))
    compared = compare(pivoted, FLAGS.against) if FLAGS.against else None
    texts = {
        "text": render.table(pivoted, compared, found.notes).text(),
        "markdown": render.as_markdown(pivoted, compared, found.notes),
        "latex": render.as_latex(pivoted, compared, found.notes),
        "csv": render.as_csv(pivoted),
    }
    print(texts[FLAGS.format])
    if FLAGS.out:
        folder = Path(FLAGS.out)
        said = render.keep_rows(folder, rows)
        for name, ending in (("markdown", "md"), ("latex", "tex"), ("csv", "csv")):
            write_atomically(folder / f"table.{ending}", texts[name].encode())
        print("; ".join([*said, *(str(folder / f"table.{ending}") for ending in ("md", "tex", "csv"))]))
