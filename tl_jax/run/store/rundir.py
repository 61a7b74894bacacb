"""The run directory: what a run leaves behind, written so that a kill at any moment loses nothing."""

import contextlib
import errno
import io
import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.core.files import say, write_atomically
from tl_jax.core.processes import by_the_first
from tl_jax.run.store.manifest import MODE, Manifest, append, note
from tl_jax.run.store.names import slug

FEATURES = "features.npz"
MARKS = "diverged"
BESIDE = "../../"
"""From a job's folder to the run directory."""


def write_json(path: Path, value: Any) -> None:
    """Indented JSON, atomically. Raises ValueError for NaN or infinity: they are not JSON."""
    write_atomically(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def packed(arrays: Mapping[str, np.ndarray]) -> bytes:
    """An .npz file."""
    file = io.BytesIO()
    np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]
    return file.getvalue()


def unpacked(content: bytes) -> dict[str, np.ndarray]:
    """Every array of an .npz file."""
    with np.load(io.BytesIO(content)) as file:
        return dict(file)


def bring(path: Path, content: bytes) -> bool:
    """Write a file that follows from others, unless it is so already. Returns whether it was there and another.

    In a directory that cannot be written it stays as it is, which is said.
    """
    was = path.read_bytes() if path.exists() else None
    if was == content:
        return False
    try:
        write_atomically(path, content)
    except OSError as error:
        if not isinstance(error, PermissionError) and error.errno != errno.EROFS:
            raise
        say(f"{path} {'is missing' if was is None else 'is not what the records give'}: {error.strerror}.")
    return was is not None


@dataclass(frozen=True)
class RunDirectory:
    """config.json, contents.json, environment.json, metrics.jsonl, records/, checkpoints/, results.json and pictures.

    What a job has written counts as far as its manifest says so and agrees: see run/store/manifest.py. Of several
    processes the first writes what a job leaves.
    """

    root: Path

    def folder(self, job: str) -> Path:
        """Where a job's predictions are kept."""
        return self.root / "records" / slug(job)

    def manifest(self, job: str) -> Manifest:
        """What a job has written."""
        return Manifest(self.folder(job))

    def record_path(self, job: str, step: int) -> Path:
        """Where the predictions of one evaluation are kept."""
        return self.folder(job) / f"{step:08d}.npz"

    def features(self, job: str) -> dict[str, np.ndarray]:
        """What is shown of a finished job; or nothing. Written last: where it is, the job is finished."""
        content = self.read_file(job, FEATURES)
        return unpacked(content) if content else {}

    @by_the_first
    def begin(self, job: str, mode: str) -> None:
        """A job begins, and its trials run in this mode to the end."""
        note(self.folder(job), MODE, b"", mode=mode)

    @by_the_first
    def keep_record(self, job: str, step: int, arrays: Mapping[str, np.ndarray], lines: Sequence[Mapping]) -> None:
        """Write what was observed at an evaluation, and its metric lines (one a trial)."""
        path, content = self.record_path(job, step), packed(arrays)
        write_atomically(path, content)
        note(path.parent, path.name, content, lines=list(lines))
        self.add_metrics(lines)

    @by_the_first
    def keep_marks(self, job: str, step: int, reasons: Sequence[str]) -> None:
        """Note why trials of a job stand still, as soon as it is known."""
        note(self.folder(job), f"{step:08d}.{MARKS}", b"", reasons=list(reasons))

    def marks(self, job: str) -> dict[int, list[str]]:
        """{step at which it was known: why each trial stands still}, by the notes and by the records themselves."""
        files = self.manifest(job).files
        noted = {int(name[:8]): files[name]["reasons"] for name in sorted(files) if name.endswith(MARKS)}
        return {at: record[MARKS].tolist() for at, record in self.records(job).items() if MARKS in record} | noted

    @by_the_first
    def keep_file(self, job: str, name: str, content: bytes) -> None:
        """Write a file into the job's folder."""
        write_atomically(self.folder(job) / name, content)
        note(self.folder(job), name, content)

    @by_the_first
    def note_file(self, job: str, name: str) -> None:
        """Note a file of the run directory that was just written as the job's."""
        note(self.folder(job), BESIDE + name, (self.root / name).read_bytes())

    def read_file(self, job: str, name: str) -> bytes | None:
        """A file of the job's folder; None where it is not there or not as it was written."""
        return self.manifest(job).read(name)

    def show_modes(self, jobs: Iterable[str]) -> bool:
        """Write execution.json, how the trials of the jobs run that were begun. Returns whether it said otherwise."""
        modes = {job: mode for job in jobs if (mode := self.manifest(job).mode)}
        return bring(self.root / "execution.json", (json.dumps(modes, indent=1) + "\n").encode()) if modes else False

    def record(self, job: str, step: int) -> dict[str, np.ndarray]:
        """The stored evaluation of a job at one step; {} where it is not there or not as it was written."""
        content = self.read_file(job, self.record_path(job, step).name)
        return unpacked(content) if content else {}

    def records(self, job: str) -> dict[int, dict[str, np.ndarray]]:
        """Every stored evaluation of a job by step. Raises UserError for one that is not as it was written."""
        manifest, found = self.manifest(job), {}
        for name in sorted(name for name in manifest.files if name[:8].isdigit() and name.endswith(".npz")):
            content = manifest.read(name)
            if content is None:
                raise UserError(f"{self.folder(job) / name} is lost or damaged. The same line again makes it anew.")
            found[int(name[:8])] = unpacked(content)
        return found

    def lost(self, job: str, steps: Iterable[int]) -> list[str]:
        """The files of a job, of evaluations at these steps and what it left at its end, that are not as written."""
        manifest = self.manifest(job)
        beside = [name for name in manifest.files if name.startswith(BESIDE)]
        names = [*(self.record_path(job, step).name for step in steps), FEATURES, *beside]
        return [name for name in names if manifest.read(name) is None]

    def begin_again(self, job: str, step: int) -> None:
        """Forget what a job wrote after a step: it is about to be written again."""
        manifest = self.manifest(job)
        manifest.keep(lambda name: name == MODE or (name[:8].isdigit() and int(name[:8]) <= step))
        path = self.root / "metrics.jsonl"
        kept = [x for x in read_lines(path) if x["job"] != job or x["step"] <= step]
        if path.exists():
            bring(path, _text(kept))

    def add_metrics(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Append lines to metrics.jsonl."""
        append(self.root / "metrics.jsonl", map(json.dumps, lines))

    def mend_metrics(self, jobs: Iterable[str]) -> str:
        """Write metrics.jsonl anew where it is not what the jobs' evaluations give; what was wrong with it, or ""."""
        path = self.root / "metrics.jsonl"
        right = [line for job in jobs for line in self.manifest(job).lines()]
        texts = path.read_bytes().splitlines() if path.exists() else []
        found, wanted = Counter(filter(None, map(_parsed, texts))), Counter(map(_canonical, right))
        if found == wanted and len(texts) == len(right):
            return ""
        counts = {
            "damaged": len(texts) - found.total(),
            "repeated": found.total() - len(found),
            "missing": len(wanted - found),
            "of no evaluation": len(Counter(list(found)) - wanted),
        }
        bring(path, _text(right))
        return f"{path}: " + ", ".join(f"{n} lines {what}" for what, n in counts.items() if n) + "; written anew."


def _canonical(line: Mapping[str, Any]) -> str:
    return json.dumps(line, sort_keys=True)


def _parsed(text: bytes) -> str:
    with contextlib.suppress(ValueError, AttributeError):
        return _canonical(json.loads(text))
    return ""


def _text(lines: Iterable[Mapping[str, Any]]) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The JSON lines of a file; what cannot be read is left out: `mend_metrics` has said so."""
    lines = []
    for text in path.read_bytes().splitlines() if path.exists() else []:
        with contextlib.suppress(ValueError):
            found = json.loads(text)
            if isinstance(found, dict) and "job" in found and "step" in found:
                lines.append(found)
    return lines
