"""The table for a terminal, a page, a paper and a program."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from tl_jax.benchmark.read import LAST, SELECTED, Cost, Found
from tl_jax.benchmark.rows import Asked, Place
from tl_jax.benchmark.verdict import Scores, remark, verdict
from tl_jax.core.printable import markdown
from tl_jax.run.report.table import Table, mean_std, spread
from tl_jax.sweep.tables.files import written
from tl_jax.sweep.tables.pages import places, tex
from tl_jax.sweep.tables.pivot import Key, Pivot

NO = "-"
"""A cell of which there is no run."""
TAKES = ("trained", "MFLOP a step", "ms a step", "CPU s")


def scores_of(pivoted: Pivot) -> Scores:
    """By row and number of labels, seed by seed."""
    found: dict[str, dict[str, dict[int, float]]] = {}
    for key in pivoted.rows:
        for column in pivoted.columns:
            cell = pivoted.cells.get((key, column))
            if cell and cell.scores:
                found.setdefault(key[1], {})[column[0]] = dict(cell.scores)
    return found


def table(found: Found, asked: Asked, place: Place) -> Table:
    """Accuracy of the last step, and what each row takes."""
    return _table(found, LAST, caption(found, asked, place))


def _table(found: Found, score: str, note: str) -> Table:
    pivoted = found.pivoted(score)
    scores = scores_of(pivoted) if pivoted else {}
    body = []
    for one in found.rows:
        cells = [_cell(pivoted, (one.row.sort, one.row.name), (n,)) for n in found.labels]
        said = "; ".join(filter(None, (one.why, remark(one.row.name, scores) if score == LAST else "")))
        body.append([one.row.sort, one.row.name, *cells, *(_takes(one.cost) if score == LAST else ()), said])
    return Table([["kind", "row", *found.labels, *(TAKES if score == LAST else ()), ""], *body], note)


def _cell(pivoted: Pivot | None, row: Key, column: Key) -> str:
    cell = pivoted.cells.get((row, column)) if pivoted else None
    if cell is None:
        return NO
    dead = f"{cell.diverged} diverged" if cell.diverged else ""
    return " ".join(filter(None, (mean_std(list(cell.scores.values())) if cell.scores else "", dead and f"({dead})")))


def _takes(cost: Cost) -> list[str]:
    number = lambda value, text: NO if value is None else text.format(value)
    seconds = number(cost.seconds, "{:.0f}")
    return [
        number(cost.parameters, "{:,}"),
        number(None if cost.flops is None else cost.flops / 1e6, "{:.3g}"),
        number(cost.ms, "{:.2g}"),
        seconds if cost.whole or seconds == NO else f"> {seconds}",
    ]


def caption(found: Found, asked: Asked, place: Place) -> str:
    """What the numbers are, and how the budget was counted."""
    base, target = asked.base, place.problem.target
    lines = [
        f"{' + '.join(base.source)} -> {base.target}, network {base.network}: accuracy on the {len(target.test.y)} "
        f"test examples of the target at the last step, {spread(base)}. Columns: labels a class of the target's "
        f"training split that a row is given. {NO}: there is no such run; a row that reads no label has one figure, "
        "under 0, and multi-task training reads the target's labels whole. No validation label is read, nothing is "
        "chosen by test labels.",
        f"Budget: {base.steps} steps of {base.batch_size} examples of each domain that a row reads. Rows that begin "
        f"from a model count its training: {base.pretrain_steps} steps before, {asked.rest} after. Fine-tuning: one "
        "model of the source, the same for all strategies, labels and seeds; self-supervision: one trunk, trained on "
        "the target without labels; the spread of these rows is of labels, heads and batches alone. Source-free and "
        "test time: a source model a seed. Test time takes a step a batch of the test examples, in one pass, and "
        "predicts each before it learns from it.",
        "trained: parameters that the last step moves. MFLOP a step: of one trial, as the compiler counts the program "
        "before it optimises it. ms a step: processor time of one trial's, measured apart when a run has ended. CPU s: "
        "processor seconds of all runs of the row, with compiling, evaluations and a model of its own that it begins "
        f"from (>: a start was killed, its time is lost); {found.pretraining:.0f} s of pretraining are shared by the "
        f"rows of fine-tuning and in none. All together: {found.total:.0f} s.",
    ]
    return "\n\n".join([*lines, *found.notes])


def words(found: Found, place: Place) -> list[str]:
    """The verdict."""
    pivoted, target = found.pivoted(LAST), place.problem.target
    return verdict(scores_of(pivoted), found.labels, len(target.test.y) / len(target.train.y)) if pivoted else []


def as_text(found: Found, asked: Asked, place: Place) -> str:
    """For a terminal."""
    return "\n".join([table(found, asked, place).text(), *words(found, place)]) + "\n"


def as_markdown(found: Found, asked: Asked, place: Place) -> str:
    """The best of a column bold, the second underlined; then the verdict, and the steps chosen without labels."""
    marked = {1: "**{}**".format, 2: "<u>{}</u>".format}
    text = [_rows(found, LAST, markdown, marked, _markdown_lines), _paragraphs(caption(found, asked, place))]
    text += ["## Verdict\n", "\n".join(f"- {markdown(line)}" for line in words(found, place)) + "\n"]
    if pivoted := found.pivoted(SELECTED):
        by = ", ".join(pivoted.criteria)
        text += [f"## Steps chosen without labels ({by})\n", _rows(found, SELECTED, markdown, marked, _markdown_lines)]
        text.append("Of the evaluations of a run, that of the greatest criterion, which sees no target label.\n")
    return "\n".join(text)


def _paragraphs(note: str) -> str:
    return "\n\n".join(markdown(line) for line in note.split("\n\n")) + "\n"


def _markdown_lines(cells: Sequence[Sequence[str]]) -> list[str]:
    head, *body = ["| " + " | ".join(line) + " |" for line in cells]
    return [head, "|" + " --- |" * len(cells[0]), *body, ""]


def as_latex(found: Found, asked: Asked, place: Place) -> str:
    """For booktabs: \\usepackage{booktabs}."""
    marked = {1: r"\textbf{{{}}}".format, 2: r"\underline{{{}}}".format}

    def lines(cells: Sequence[Sequence[str]]) -> list[str]:
        head, *body = [" & ".join(line) + r" \\" for line in cells]
        columns = "ll" + "c" * len(found.labels) + "r" * len(TAKES) + "l"
        begin = [r"\begin{tabular}{" + columns + "}", r"\toprule", head, r"\midrule"]
        return [*begin, *body, r"\bottomrule", r"\end{tabular}"]

    said = [f"% {tex(line)}" for line in (*caption(found, asked, place).split("\n\n"), *words(found, place))]
    return "\n".join([*said, _rows(found, LAST, tex, marked, lines)]) + "\n"


def _rows(
    found: Found,
    score: str,
    escape: Callable[[str], str],
    marked: Mapping[int, Callable[[str], str]],
    lines: Callable[[Sequence[Sequence[str]]], list[str]],
) -> str:
    cells = [[escape(cell) for cell in line] for line in _table(found, score, "").cells]
    pivoted = found.pivoted(score)
    ranks = places(pivoted) if pivoted else {}
    for i, column in enumerate(pivoted.columns if pivoted else (), 2):
        for line, one in zip(cells[1:], found.rows, strict=True):
            if place := ranks.get(((one.row.sort, one.row.name), column)):
                line[i] = marked[place](line[i])
    return "\n".join(lines(cells))


def as_csv(found: Found) -> str:
    """A line a row and number of labels of which there is a run."""
    head = ["kind", "row", "labels", "mean", "std", "n", "diverged", "selected mean", "selected std"]
    head += ["trained", "flops", "ms", "cpu seconds"]
    last, chosen = found.pivoted(LAST), found.pivoted(SELECTED)
    lines: list[list[Any]] = []
    for one in found.rows:
        key = one.row.sort, one.row.name
        for labels in found.labels:
            cell = last.cells.get((key, (labels,))) if last else None
            if cell:
                other = chosen.cells.get((key, (labels,))) if chosen else None
                beside = [other.mean, other.deviation] if other else [None, None]
                numbers = [cell.mean, cell.deviation, len(cell.scores), cell.diverged]
                lines.append([*key, labels, *numbers, *beside, *one.cost[:4]])
    return written(head, lines)
