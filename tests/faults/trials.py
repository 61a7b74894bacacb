"""Faults done to a tiny run, and what came of each: the right numbers, one message, or something worse.

As a script it is that run: python trials.py RUN_DIR.
"""

import contextlib
import dataclasses
import io
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

os.environ.setdefault("JAX_NUM_CPU_DEVICES", "1")
os.environ.setdefault("MPLBACKEND", "agg")
sys.path.insert(0, str(Path(__file__).parents[1]))

import numpy as np
from tiny import FAST, SOURCE, TARGET

import tl_jax
from tl_jax.core.errors import MachineError, UserError
from tl_jax.data.domain import Domain
from tl_jax.run import conclude
from tl_jax.run.store import checkpoints, contents

SETTINGS: dict[str, Any] = {**FAST, "steps": 6, "eval_every": 2, "seeds": 1, "trials": "map", "devices": 1}


class Trial(NamedTuple):
    """outcome: "right" (the undisturbed numbers), "message" (one, and no numbers), "silent" (other numbers, or none,
    and not a word), "traceback". said: whether a line told of the fault."""

    fault: str
    outcome: str
    said: bool = False
    detail: str = ""


def fit(run_dir: Path, source: Domain = SOURCE, **change: Any) -> Any:
    """The tiny run; its pictures are left out, they take longer than all else."""
    was, conclude._draw = conclude._draw, lambda *_: None
    try:
        return tl_jax.fit(source, TARGET, ["source_only", "shot"], run_dir=str(run_dir), **SETTINGS, **change)
    finally:
        conclude._draw = was


def same_line(run_dir: Path, right: bytes, fault: str, **how: Any) -> Trial:
    """The same line on a directory that something was done to."""
    told = io.StringIO()
    try:
        with contextlib.redirect_stderr(told):
            fit(run_dir, **how)
    except (UserError, MachineError) as error:
        return Trial(fault, "message", True, str(error))
    except Exception as error:
        return Trial(fault, "traceback", False, f"{type(error).__name__}: {error}")
    found = (run_dir / "results.json").read_bytes()
    said = "tl_jax:" in told.getvalue()
    return Trial(fault, "right" if found == right else "said" if said else "silent", said, told.getvalue().strip())


def undisturbed(where: Path) -> bytes:
    """A finished run, and its results."""
    fit(where)
    return (where / "results.json").read_bytes()


def interrupted(where: Path, saves: int = 5) -> None:
    """A run that ended at the given save: one job done, the other half way."""
    original, seen = checkpoints.Checkpoints.save, []

    def save(self, step, state):
        original(self, step, state)
        seen.append(step)
        if len(seen) == saves:
            raise KeyboardInterrupt

    checkpoints.Checkpoints.save = save
    try:
        with contextlib.suppress(KeyboardInterrupt):
            fit(where)
    finally:
        checkpoints.Checkpoints.save = original


def files(run_dir: Path) -> list[Path]:
    """Every file of a run but the lock, pictures, and the page for people."""
    left_out = (".lock", "table.md")
    found = (path for path in sorted(run_dir.rglob("*")) if path.is_file() and path.suffix != ".png")
    return [path for path in found if path.name not in left_out and path.stat().st_size]


def kind(path: Path, run_dir: Path) -> str:
    """'checkpoints', 'records', 'config.json', ...: what a file of a run is."""
    first, *rest = path.relative_to(run_dir).parts
    return f"{first}: {rest[-1]}" if first == "records" and not rest[-1][0].isdigit() else first


def flipped(base: Path, right: bytes, where: Path, path: Path, rng: random.Random) -> Trial:
    """One bit of one file of a copy of a run."""
    shutil.copytree(base, where)
    victim = where / path.relative_to(base)
    content = bytearray(victim.read_bytes())
    place = rng.randrange(8 * len(content))
    content[place // 8] ^= 1 << place % 8
    victim.write_bytes(bytes(content))
    return same_line(where, right, f"one bit of {kind(path, base)}")


def deleted(base: Path, right: bytes, where: Path, path: Path) -> Trial:
    """One file of a copy of a run taken away."""
    shutil.copytree(base, where)
    (where / path.relative_to(base)).unlink()
    return same_line(where, right, f"without {kind(path, base)}")


def changed(base: Path, right: bytes, where: Path) -> Iterator[Trial]:
    """Other examples, other labels, fewer of them, other code: the same line on copies of a run."""
    train, test = SOURCE.train, SOURCE.test
    noise = np.random.default_rng(0).normal(size=train.x.shape).astype(np.float32)
    others = {
        "examples": dataclasses.replace(SOURCE, train=train._replace(x=noise)),
        "one label": dataclasses.replace(SOURCE, train=train._replace(y=np.roll(train.y, 1))),
        "fewer rows": dataclasses.replace(SOURCE, test=test._replace(x=test.x[1:], y=test.y[1:])),
        "classes": dataclasses.replace(SOURCE, classes=("a", "b", "d")),
    }
    for name, source in others.items():
        copy = where / name.replace(" ", "-")
        shutil.copytree(base, copy)
        yield same_line(copy, right, f"other data: {name}", source=source)
    copy = where / "code"
    shutil.copytree(base, copy)
    was = contents.code
    contents.code = lambda: (*was()[1:], (was()[0][0], "another"))  # pyright: ignore
    try:
        yield same_line(copy, right, "other code")
    finally:
        contents.code = was


def start(run_dir: Path) -> subprocess.Popen:
    """The tiny run in a process of its own."""
    return subprocess.Popen([sys.executable, __file__, str(run_dir)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def killed(where: Path, right: bytes, wait: float) -> Trial:
    """SIGKILL after so many seconds, then the same line."""
    process = start(where)
    time.sleep(wait)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    return same_line(where, right, "kill -9")


def together(where: Path, right: bytes, count: int) -> Trial:
    """So many processes at once on one new directory: one has it, the others say so; then the same line."""
    processes = [start(where) for _ in range(count)]
    ends = [(process.communicate()[1].decode(), process.returncode) for process in processes]
    fault = f"{count} processes at once"
    bad = [said for said, code in ends if code not in (0, 75) or "Traceback" in said]
    if bad or not any(code == 0 for _, code in ends):
        return Trial(fault, "traceback", False, (bad or [str(ends)])[0][-300:])
    return same_line(where, right, fault)


def full_disk(where: Path, right: bytes, size: str) -> Trial | None:
    """A run on a file system of that size, then the same line with room; None where mounting is not allowed."""
    where.mkdir()
    mount = lambda *words: subprocess.run(["mount", *words, str(where)], capture_output=True, check=False).returncode
    if mount("-t", "tmpfs", "-o", f"size={size}", "tmpfs"):
        return None
    try:
        first = same_line(where / "run", right, f"disk of {size}")
        if first.outcome != "message" or mount("-o", "remount,size=64m"):
            return first
        again = same_line(where / "run", right, first.fault)
        return again._replace(said=True, detail=first.detail)
    finally:
        subprocess.run(["umount", str(where)], check=False)


if __name__ == "__main__":
    try:
        fit(Path(sys.argv[1]))
    except UserError as error:
        print(error, file=sys.stderr)
        raise SystemExit(error.code) from None
