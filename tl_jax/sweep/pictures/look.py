"""What the figures of tables have in common: their look, and how they are kept."""

import io
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from tl_jax.core.files import write_atomically

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#8C6D31")
"""Those of Okabe and Ito, which colour-blind people tell apart (the yellow, too faint on white, is a brown)."""
LINES, MARKS = ("-", "--", "-.", ":"), "osD^vPX*"
MAP = "cividis"


def style(i: int) -> dict[str, Any]:
    """Of the i-th line: colour, marker and dashes, so that more lines than colours differ too."""
    return {"color": COLOURS[i % 8], "marker": MARKS[i % 8], "linestyle": LINES[i // 8 % 4]}


def title(score: str) -> str:
    """'selected/target/accuracy' -> 'accuracy on target (selected)'."""
    selector, _, metric = score.partition("/")
    place, _, what = metric.rpartition("/")
    return f"{what.replace('_', ' ')}{f' on {place}' if place else ''} ({selector})"


def keep(figure: Figure, path: Path) -> list[str]:
    """Write PNG and PDF; returns the files."""
    said = []
    for ending in ("png", "pdf"):
        buffer = io.BytesIO()
        # Without dates: the same numbers give the same file.
        metadata = {"CreationDate": None} if ending == "pdf" else {"Software": None}
        figure.savefig(buffer, format=ending, dpi=150, bbox_inches="tight", metadata=metadata)
        file = path.with_name(f"{path.name}.{ending}")
        write_atomically(file, buffer.getvalue())
        said.append(str(file))
    return said
