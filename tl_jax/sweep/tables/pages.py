"""A table of means for a page and for a paper: the best bold, the second underlined."""

from collections.abc import Callable, Mapping

from tl_jax.core.printable import markdown
from tl_jax.sweep.tables.pivot import Key, Pivot
from tl_jax.sweep.tables.render import NOTHING, Beside, by_domain, table


def as_markdown(pivoted: Pivot, beside: Beside = NOTHING) -> str:
    """The best of a column bold, the second underlined; of a row, where rows are domains."""
    found = table(pivoted, beside)
    lines = ["| " + " | ".join(map(markdown, found.cells[0])) + " |", "|" + " --- |" * len(found.cells[0])]
    marks = {1: "**{}**".format, 2: "<u>{}</u>".format}
    lines += [f"| {' | '.join(cells)} |" for cells in _marked(pivoted, found.cells[1:], markdown, marks)]
    return "\n".join(lines) + "\n\n" + "\n\n".join(map(markdown, found.note.splitlines())) + "\n"


def as_latex(pivoted: Pivot, beside: Beside = NOTHING) -> str:
    """For booktabs: \\usepackage{booktabs}."""
    found = table(pivoted, beside, plus_minus="\0")
    first = len(pivoted.asked.rows)
    lines = [r"\begin{tabular}{" + "l" * first + "c" * (len(found.cells[0]) - first) + "}", r"\toprule"]
    lines += [" & ".join(map(tex, found.cells[0])) + r" \\", r"\midrule"]
    marks = {1: r"\textbf{{{}}}".format, 2: r"\underline{{{}}}".format}
    written = lambda cell: tex(cell).replace("\0", r" $\pm$ ")
    lines += [" & ".join(cells) + r" \\" for cells in _marked(pivoted, found.cells[1:], written, marks)]
    said = [f"% {tex(line)}" for line in found.note.splitlines()]
    return "\n".join([*said, *lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


def _marked(
    pivoted: Pivot,
    body: list[list[str]],
    written: Callable[[str], str],
    marks: Mapping[int, Callable[[str], str]],
) -> list[list[str]]:
    """The lines of a table with the best and the second of its cells marked; a line of averages is left as it is."""
    best, first = places(pivoted), len(pivoted.asked.rows)
    lines = [[written(cell) for cell in line] for line in body]
    for row, cells in zip(pivoted.rows, lines, strict=False):
        for i, column in enumerate(pivoted.columns, first):
            if place := best.get((row, column)):
                cells[i] = marks[place](cells[i])
    return lines


_TEX = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "->": r"$\to$", "±": r"$\pm$"}
_TEX |= {sign: f"\\{sign}" for sign in "&%$#_{}"} | {"<": r"\textless{}", ">": r"\textgreater{}"}


def tex(text: str) -> str:
    """Text of a cell, for LaTeX."""
    out, i = [], 0
    while i < len(text):
        step = 2 if text[i : i + 2] in _TEX else 1
        out.append(_TEX.get(text[i : i + step], text[i : i + step]))
        i += step
    return "".join(out)


def places(pivoted: Pivot) -> dict[tuple[Key, Key], int]:
    """{(row, column): 1 or 2} of the best and the second of a column by their means as shown; equal ones share a place.

    Of a row where rows are domains: a method is compared with others on one of them.
    """
    found: dict[tuple[Key, Key], int] = {}
    rows, columns = pivoted.rows, pivoted.columns
    sets = (
        [[(r, c) for c in columns] for r in rows] if by_domain(pivoted) else [[(r, c) for r in rows] for c in columns]
    )
    for group in sets:
        means = {at: cell.mean for at in group if (cell := pivoted.cells.get(at))}
        shown = {at: round(mean, 3) for at, mean in means.items() if mean is not None}
        order = sorted(set(shown.values()), reverse=pivoted.higher)[:2]
        found |= {at: order.index(mean) + 1 for at, mean in shown.items() if mean in order and len(shown) > 1}
    return found
