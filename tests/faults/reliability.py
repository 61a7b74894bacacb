"""Kill, damage, fill up and change a tiny run, and write down what came of it:

    python tests/faults/reliability.py [flips of every kind of file] [kills] [seed]

prints a table and writes it into docs/reliability.md.
"""

import os
import random
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(Path(__file__).parent), str(ROOT)]
PAGE = ROOT / "docs" / "reliability.md"
MARK = "<!-- measured -->"
OUTCOMES = ("right", "message", "silent", "traceback")


def every(folder: Path, flips: int, kills: int, rng: random.Random) -> Iterator:
    """Every trial, one after the other."""
    import trials

    began = time.monotonic()
    right = trials.undisturbed(folder / "finished")
    trials.interrupted(folder / "interrupted")
    for base in ("finished", "interrupted"):
        kinds: dict[str, list[Path]] = {}
        for path in trials.files(folder / base):
            kinds.setdefault(trials.kind(path, folder / base), []).append(path)
        for i, paths in enumerate(kinds.values()):
            for j in range(flips):
                where = folder / f"{base}-{i}-{j}"
                yield _of(base, trials.flipped(folder / base, right, where, rng.choice(paths), rng))
            yield _of(base, trials.deleted(folder / base, right, folder / f"{base}-{i}-without", rng.choice(paths)))
        for trial in trials.changed(folder / base, right, folder / f"{base}-changed"):
            yield _of(base, trial)
    for i, size in enumerate(("32k", "100k", "200k")):
        if (trial := trials.full_disk(folder / f"disk{i}", right, size)) is None:
            print("mounting a small tmpfs is not allowed here: no trial of a full disk")
            break
        yield trial
    process, began = trials.start(folder / "timed"), time.monotonic()
    process.communicate()
    whole = time.monotonic() - began
    for i in range(kills):
        yield trials.killed(folder / f"killed{i}", right, rng.uniform(0.2, 1.0) * whole)
    for count in (2, 4) if kills else ():
        yield trials.together(folder / f"together{count}", right, count)


def _of(base: str, trial):
    return trial._replace(fault=f"{base}: {trial.fault}")


def table(found: list) -> str:
    """A row for every kind of fault: trials, and how many ended in each way."""
    rows = [
        "| fault | trials | right | of these said | message | silent | traceback |",
        "|---|---|---|---|---|---|---|",
    ]
    for fault in dict.fromkeys(trial.fault for trial in found):
        of = [trial for trial in found if trial.fault == fault]
        count = {name: sum(trial.outcome == name for trial in of) for name in OUTCOMES}
        said = sum(trial.said for trial in of if trial.outcome == "right")
        rows.append(
            f"| {fault} | {len(of)} | {count['right']} | {said} | {count['message']} | {count['silent']} | "
            f"{count['traceback']} |"
        )
    return "\n".join(rows)


def main(flips: int = 2, kills: int = 5, seed: int = 0) -> None:
    """Run everything, print it as it comes, and write the page."""
    found = []
    with tempfile.TemporaryDirectory() as folder:
        os.environ["XDG_CACHE_HOME"] = str(Path(folder) / "cache")
        for trial in every(Path(folder), flips, kills, random.Random(seed)):
            found.append(trial)
            print(f"{trial.fault}: {trial.outcome}{' (said)' if trial.said else ''} {trial.detail[:200]}", flush=True)
    bad = sum(trial.outcome in ("silent", "traceback") for trial in found)
    summary = f"{len(found)} trials; {bad} survivors (silent or a traceback)."
    command = f"    python tests/faults/reliability.py {flips} {kills} {seed}"
    print(f"\n{table(found)}\n\n{summary}")
    head = PAGE.read_text().partition(MARK)[0]
    PAGE.write_text(f"{head}{MARK}\n\n{command}\n\n{summary}\n\n{table(found)}\n")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
