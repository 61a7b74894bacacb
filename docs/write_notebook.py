"""docs/notebook.ipynb from docs/notebook.py: run every cell in order and keep what it printed and drew.

python docs/write_notebook.py
"""

import base64
import contextlib
import io
import json
import os
import re
from pathlib import Path
from typing import Any

os.environ.setdefault("MPLBACKEND", "agg")
SOURCE = Path(__file__).with_name("notebook.py")


def cells(text: str) -> list[tuple[str, str]]:
    """[("markdown" or "code", its text), ...] of a script whose cells begin with "# %%"."""
    found = []
    for head, body in re.findall(r"^# %%(.*)\n((?:(?!# %%).*\n?)*)", text, re.MULTILINE):
        if "markdown" in head:
            found.append(("markdown", re.sub(r"^# ?", "", body, flags=re.MULTILINE).strip()))
        else:
            found.append(("code", body.strip()))
    return found


def outputs(code: str, names: dict[str, Any]) -> list[dict[str, Any]]:
    """What a cell prints and draws."""
    import matplotlib.pyplot as plt

    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(code, str(SOURCE), "exec"), names)
    found: list[dict[str, Any]] = []
    if text := printed.getvalue():
        found.append({"output_type": "stream", "name": "stdout", "text": text.splitlines(keepends=True)})
    for number in plt.get_fignums():
        file = io.BytesIO()
        plt.figure(number).savefig(file, format="png", dpi=80, bbox_inches="tight")
        image = {"image/png": base64.b64encode(file.getvalue()).decode()}
        found.append({"output_type": "display_data", "metadata": {}, "data": image})
    plt.close("all")
    return found


def notebook(text: str) -> dict[str, Any]:
    """The notebook of a script, run."""
    names: dict[str, Any] = {"__name__": "notebook"}
    made, count = [], 0
    for i, (kind, body) in enumerate(cells(text)):
        cell: dict[str, Any] = {"cell_type": kind, "id": f"cell-{i}", "metadata": {}}
        if kind == "code":
            count += 1
            cell |= {"execution_count": count, "outputs": outputs(body, names)}
        made.append({**cell, "source": body.splitlines(keepends=True)})
    kernel = {"kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"}}
    return {"cells": made, "metadata": kernel, "nbformat": 4, "nbformat_minor": 5}


if __name__ == "__main__":
    made = notebook(SOURCE.read_text())
    SOURCE.with_suffix(".ipynb").write_text(json.dumps(made, indent=1, ensure_ascii=False) + "\n")
    for cell in made["cells"]:
        for one in cell.get("outputs", ()):
            print("".join(one.get("text", ["(a picture)\n"])), end="")
