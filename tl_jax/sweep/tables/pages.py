"""A table of means for a page and for a paper: the best of a column bold, the second underlined."""

from tl_jax.core.printable import markdown
from tl_jax.sweep.tables.pivot import Key, Pivot
from tl_jax.sweep.tables.render import NOTHING, Beside, table


def as_markdown(pivoted: Pivot, beside: Beside = NOTHING) -> str:
    """The best of a column bold, the second underlined."""
    found = table(pivoted, beside)
    marks = [places(pivoted, column) for column in pivoted.columns]
    first = len(pivoted.asked.rows)
    marked = {1: "**{}**".format, 2: "<u>{}</u>".format}
    lines = ["| " + " | ".join(map(markdown, found.cells[0])) + " |", "|" + " --- |" * len(found.cells[0])]
    for key, line in zip(pivoted.rows, found.cells[1:], strict=True):
        cells = [markdown(cell) for cell in line]
        for i, mine in enumerate(marks):
            if key in mine:
                cells[first + i] = marked[mine[key]](cells[first + i])
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n\n" + "\n\n".join(map(markdown, found.note.splitlines())) + "\n"


def as_latex(pivoted: Pivot, beside: Beside = NOTHING) -> str:
    """For booktabs: \\usepackage{booktabs}."""
    found = table(pivoted, beside, plus_minus="\0")
    marks = [places(pivoted, column) for column in pivoted.columns]
    first = len(pivoted.asked.rows)
    lines = [r"\begin{tabular}{" + "l" * first + "c" * (len(found.cells[0]) - first) + "}", r"\toprule"]
    lines += [" & ".join(map(tex, found.cells[0])) + r" \\", r"\midrule"]
    for key, line in zip(pivoted.rows, found.cells[1:], strict=True):
        cells = [tex(cell).replace("\0", r" $\pm$ ") for cell in line]
        for i, mine in enumerate(marks):
            if key in mine:
                command = {1: r"\textbf", 2: r"\underline"}[mine[key]]
                cells[first + i] = f"{command}{{{cells[first + i]}}}"
        lines.append(" & ".join(cells) + r" \\")
    said = [f"% {tex(line)}" for line in found.note.splitlines()]
    return "\n".join([*said, *lines, r"\bottomrule", r"\end{tabular}"]) + "\n"


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


def places(pivoted: Pivot, column: Key) -> dict[Key, int]:
    """{row: 1 or 2} of the best and the second by their means as shown; equal ones share a place."""
    means = {row: cell.mean for row in pivoted.rows if (cell := pivoted.cells.get((row, column)))}
    shown = {row: round(mean, 3) for row, mean in means.items() if mean is not None}
    order = sorted(set(shown.values()), reverse=pivoted.higher)[:2]
    return {row: order.index(mean) + 1 for row, mean in shown.items() if mean in order} if len(shown) > 1 else {}
