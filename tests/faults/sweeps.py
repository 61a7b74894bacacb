"""Kill the controller and the workers of a sweep at random moments, and compare what comes of it:

    python tests/faults/sweeps.py [kills] [kills of one sweep] [seed]

prints a line a kill and writes a table into docs/reliability.md. Each sweep is killed some times, the same line given
again at once after each, and is then left to its end. There is one right answer: the results, learning curves and
records of a sweep that nothing was done to, to the bit. A run that was finished when something was killed must stand as
it was: neither its files nor their times may have changed.
"""

import contextlib
import hashlib
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import numpy as np

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reliability.md"
MARK, END = "<!-- measured: sweeps -->", "<!-- end of sweeps -->"
LINE = (
    "transductive --source=digits:handwritten --target=digits:photo --over=method=source_only,dann,mcc,shot "
    "--network=mlp(hidden=(8,),bottleneck=8) --seeds=2 --steps=1200 --eval_every=200 --batch_size=8 --trials=map "
    "--nopictures --platform=cpu"
)
VICTIMS = {"the controller": (True, 0), "one worker": (False, 1), "the controller and all workers": (True, 9)}
SIGNALS = (signal.SIGKILL, signal.SIGKILL, signal.SIGTERM)


class Kill(NamedTuple):
    """What was killed, how, and what of it was wrong: '' is nothing."""

    victim: str
    signal: str
    wrong: str = ""


def begin(folder: Path) -> subprocess.Popen:
    """Give the line of the sweep."""
    words = [sys.executable, "-m", "tl_jax.launch.main", "sweep", *LINE.split(), f"--dir={folder}"]
    log = (folder.parent / f"{folder.name}.txt").open("ab")
    return subprocess.Popen(words, cwd=ROOT, stdout=log, stderr=log, env={**os.environ, "PYTHONPATH": str(ROOT)})


def children(pid: int) -> list[int]:
    """The workers of a controller."""
    with contextlib.suppress(OSError):
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    return []


def finished(folder: Path) -> dict[str, tuple]:
    """{finished run: what its files are, and since when}."""
    found = {}
    for mark in sorted(folder.glob("runs/*/finished.json")):
        files = [path for path in sorted(mark.parent.rglob("*")) if path.is_file() and path.name != ".lock"]
        found[mark.parent.name] = tuple((str(path), path.stat().st_mtime_ns, path.stat().st_size) for path in files)
    return found


def numbers(folder: Path) -> dict[str, str]:
    """{run/file: digest} of what a sweep has found; of records their arrays, whose archive holds the time."""
    found = {}
    for path in sorted(folder.glob("runs/*/*")):
        if path.name in ("results.json", "metrics.jsonl"):
            found[str(path.relative_to(folder))] = hashlib.sha256(path.read_bytes()).hexdigest()
    for path in sorted(folder.glob("runs/*/records/**/*.npz")):
        with np.load(path) as arrays:
            content = b"".join(name.encode() + arrays[name].tobytes() for name in sorted(arrays.files))
        found[str(path.relative_to(folder))] = hashlib.sha256(content).hexdigest()
    return found


def strike(process: subprocess.Popen, folder: Path, wait: float, rng: random.Random) -> Kill | None:
    """Kill something of a sweep after so many seconds; None where the sweep has ended before."""
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(wait)
        return None
    victim, number = rng.choice(list(VICTIMS)), rng.choice(SIGNALS)
    controller, some = VICTIMS[victim]
    before, workers = finished(folder), children(process.pid)
    targets = [process.pid] * controller + rng.sample(workers, min(some, len(workers)))
    for pid in targets:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    if controller:
        process.wait()
    after = finished(folder)
    wrong = [name for name, files in before.items() if after.get(name) != files]
    return Kill(victim, number.name, f"finished runs have changed: {wrong}" if wrong else "")


def sweep(folder: Path, right: dict[str, str], kills: int, seconds: float, rng: random.Random) -> list[Kill]:
    """One sweep that is killed so many times, and what came of it."""
    found: list[Kill] = []
    process = begin(folder)
    for _ in range(20 * kills):
        if len(found) == kills:
            break
        kept = finished(folder)
        kill = strike(process, folder, rng.uniform(0.0, seconds), rng)
        if kill:
            found.append(kill)
            print(f"{kill.signal} to {kill.victim}: {kill.wrong or len(finished(folder))}", flush=True)
        if process.poll() is not None:
            if len(kept) == len({name.split("/")[1] for name in right}):
                break  # nothing is left to be killed
            process = begin(folder)
    process.wait()
    for _ in range(3):  # of what was killed last
        before = finished(folder)
        code = begin(folder).wait()
        lost = [name for name, files in before.items() if finished(folder).get(name) != files]
        if lost:
            found.append(Kill("the same line", "-", f"finished runs have changed: {lost}"))
        if not code:
            break
    got = numbers(folder)
    differ = [name for name in right.keys() | got.keys() if right.get(name) != got.get(name)]
    if code or differ:
        found[-1] = found[-1]._replace(wrong=f"exit code {code}; other numbers: {sorted(differ)[:5]}")
        print(found[-1].wrong, flush=True)
    return found


def table(found: list[Kill]) -> str:
    """A row for everything that was killed."""
    rows = ["| killed | by | kills | of these wrong |", "|---|---|---|---|"]
    for key in sorted({kill[:2] for kill in found}):
        of = [kill for kill in found if kill[:2] == key]
        rows.append(f"| {key[0]} | {key[1]} | {len(of)} | {sum(bool(kill.wrong) for kill in of)} |")
    return "\n".join(rows)


def main(kills: int = 20, of_one: int = 10, seed: int = 0) -> None:
    """Run everything, print it as it comes, and write the page."""
    rng, found = random.Random(seed), list[Kill]()
    with tempfile.TemporaryDirectory() as place:
        root = Path(place)
        os.environ["XDG_CACHE_HOME"] = str(root / "cache")
        began = time.monotonic()
        if begin(root / "undisturbed").wait():
            sys.exit((root / "undisturbed.txt").read_text()[-3000:])
        right, seconds = numbers(root / "undisturbed"), time.monotonic() - began
        print(f"an undisturbed sweep: {seconds:.0f} s, {len(right)} files", flush=True)
        while len(found) < kills:
            folder = root / f"sweep{len(found)}"
            found += sweep(folder, right, min(of_one, kills - len(found)), seconds / 3, rng)
    wrong = sum(bool(kill.wrong) for kill in found)
    summary = f"{len(found)} kills; {wrong} after which something was lost, changed, done twice or another number."
    command = f"    python tests/faults/sweeps.py {kills} {of_one} {seed}"
    print(f"\n{table(found)}\n\n{summary}")
    before, _, rest = PAGE.read_text().partition(MARK)
    after = rest.partition(END)[2]
    PAGE.write_text(f"{before}{MARK}\n\n{command}\n\n{summary}\n\n{table(found)}\n\n{END}{after}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
