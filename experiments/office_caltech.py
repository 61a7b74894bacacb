"""Twelve pairs of Office-Caltech's SURF features, eight methods, five seeds, and the classics: one line of a sweep.

    python -m experiments.office_caltech        # about 25 minutes of processor time; writes the page below

The features are read as `--source=office_caltech/amazon` reads them (`--data_dir` or TL_JAX_DATA). Every setting but
the number of steps is the default of `python -m launch.transductive`; nothing was tuned. What came out is in
docs/results/office_caltech.md: this script wrote it.
"""

import json
import statistics
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from experiments.page import script, write

ROOT = Path("runs/office_caltech")
PAGE = Path("docs/results/office_caltech.md")
COMMAND = "python -m experiments.office_caltech"
METHODS = ("source_only", "dan", "deep_coral", "dann", "bnm", "mcc", "afn", "jan")
SWEEP = [
    *("transductive", "--pairs=office_caltech", "--seeds=5", "--steps=200", "--nopictures"),
    f"--over=method=({', '.join(METHODS)})",
]
COLLECT = ("--rows=pair", "--columns=method", "--format=markdown")
ABOUT = """

    python -m launch.sweep {sweep}
    python -m launch.sweep collect --dir={root} {collect}

Bags of 800 visual words, ten classes, four domains: caltech 1123 examples, amazon 958, webcam 295, dslr 157; a fifth of
each domain's examples is for test (31 of dslr: a seed's accuracy moves in steps of .03 there), the rest of the target
is trained on without labels. The network is a small MLP that begins at random, {steps} steps.

## The last step

{last}

## The step chosen by `im`, without a target label

{selected}

The table in LaTeX: the second command with `--rows=method --columns=pair --format=latex`.

## Baselines and classics in the same runs

Trained on the source's training examples, tested once on the target's test split (classics see its examples,
unlabelled); the mean of the twelve pairs.

{beneath}

With every example of both domains, as published tables have it, the classics are at
[what the shortfalls say](../shortfalls.md).
"""


def called(*words: str) -> str:
    """What a command of sweeps prints."""
    done = subprocess.run(
        [sys.executable, "-m", "launch.sweep", *words], check=False, stdout=subprocess.PIPE, text=True
    )
    if done.returncode:
        raise SystemExit(done.returncode)
    return done.stdout.strip()


def beneath(root: Path) -> str:
    """The means over the pairs of what is trained without a network."""
    found: dict[str, list[float]] = defaultdict(list)
    for path in sorted(root.glob("runs/*/baselines.json")):
        for record in json.loads(path.read_text()):
            found[record["method"]].append(record["selectors"]["last"]["target/accuracy"])
    rows = [f"| {name} | {statistics.mean(scores):.3f} | {len(scores)} |" for name, scores in found.items()]
    return "\n".join(["| method | mean | pairs |", "|---|---|---|", *rows])


def main() -> None:
    """Run (or go on with) the sweep and write the page."""
    print(called(*SWEEP, f"--dir={ROOT}"))
    table = lambda selector: called("collect", f"--dir={ROOT}", *COLLECT, f"--score={selector}/target/accuracy")
    quoted = " ".join(f"'{word}'" if "(" in word else word for word in [*SWEEP, f"--dir={ROOT}"])
    body = ABOUT.format(
        sweep=quoted,
        root=ROOT,
        collect=" ".join(COLLECT),
        steps=200,
        last=table("last"),
        selected=table("selected"),
        beneath=beneath(ROOT),
    )
    write(PAGE, "Office-Caltech, SURF features: twelve pairs", COMMAND, body)


if __name__ == "__main__":
    script(main)
