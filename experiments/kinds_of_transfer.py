"""Kinds of transfer side by side, from printed to handwritten digits: the default of `python -m launch.benchmark`.

    python -m experiments.kinds_of_transfer        # about ten minutes of processor time; writes the page below

The numbers that came out are in docs/results/kinds_of_transfer.md, the picture beside it: this script wrote both.
"""

import shutil
import subprocess
import sys
from pathlib import Path

from experiments.page import script, write

ROOT = Path("runs/kinds_of_transfer")
PAGE = Path("docs/results/kinds_of_transfer.md")
COMMAND = "python -m experiments.kinds_of_transfer"
ABOUT = """ The table is that of `python -m launch.benchmark` without flags.

![Accuracy of every row at every number of labels](kinds_of_transfer.png)

Dashed: the source alone; dotted: the bound, all target labels.
"""


def main() -> None:
    """Run (or go on with) the benchmark and write the page."""
    done = subprocess.run([sys.executable, "-m", "launch.benchmark", f"--dir={ROOT}"], check=False)
    if done.returncode:
        raise SystemExit(done.returncode)
    write(PAGE, "Kinds of transfer side by side", COMMAND, f"{ABOUT}\n{(ROOT / 'table.md').read_text()}")
    shutil.copy(ROOT / "benchmark.png", PAGE.with_suffix(".png"))


if __name__ == "__main__":
    script(main)
