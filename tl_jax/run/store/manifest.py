"""What a job has written, line by line with digests: a file counts only if a line says so and its content agrees."""

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from tl_jax.core.files import write_atomically
from tl_jax.core.sealed import opened, seal

NAME = "manifest.jsonl"
MODE = "mode"
"""What stands for a file in the line that says how the trials run."""


def sha256(content: bytes) -> str:
    """Of a file's content."""
    return hashlib.sha256(content).hexdigest()


def note(folder: Path, file: str, content: bytes, **more: Any) -> None:
    """Add to the manifest of a folder what was just written there; on disk before this returns."""
    folder.mkdir(parents=True, exist_ok=True)
    append(folder / NAME, [seal({"file": file, "sha256": sha256(content), **more}, indent=None)], sync=True)


class Manifest:
    """records/JOB/manifest.jsonl: {file: {"sha256", "lines": its lines of metrics.jsonl}}.

    damaged: how many of its lines could not be read. A later line of a file takes the place of an earlier one.
    """

    def __init__(self, folder: Path):
        self.path = folder / NAME
        self.files: dict[str, dict[str, Any]] = {}
        self.damaged = 0
        for text in self.path.read_bytes().splitlines() if self.path.exists() else []:
            try:
                entry = opened(text)
            except ValueError:
                self.damaged += 1
                continue
            self.files[entry["file"]] = entry

    @property
    def mode(self) -> str | None:
        """How the job's trials ran, if it was begun."""
        return self.files.get(MODE, {}).get("mode")

    @property
    def empty(self) -> bool:
        """Whether nothing is noted but how its trials run."""
        return self.files.keys() <= {MODE}

    def keep(self, wanted: Callable[[str], bool]) -> None:
        """Only the files that are wanted; nothing is written where nothing changes."""
        kept = {name: entry for name, entry in self.files.items() if wanted(name)}
        if kept != self.files or self.damaged:
            content = "".join(seal(entry, indent=None) + "\n" for entry in kept.values())
            write_atomically(self.path, content.encode())
            self.files, self.damaged = kept, 0

    def read(self, file: str) -> bytes | None:
        """The content of a file in the same folder, None unless it is what was noted."""
        path = self.path.parent / file
        entry = self.files.get(file)
        if entry is None or not path.is_file():
            return None
        content = path.read_bytes()
        return content if sha256(content) == entry["sha256"] else None

    def lines(self) -> list[Mapping[str, Any]]:
        """The lines of metrics.jsonl that belong to the evaluations noted, in their order."""
        return [line for name in sorted(self.files) for line in self.files[name].get("lines", ())]


def append(path: Path, lines: Iterable[str], sync: bool = False) -> None:
    """Add lines to a file; one that a kill cut short before them is left a line of its own."""
    with path.open("ab+") as file:
        cut = file.seek(0, os.SEEK_END) > 0 and (file.seek(-1, os.SEEK_END), file.read(1))[1] != b"\n"
        file.write(("\n" if cut else "").encode() + "".join(line + "\n" for line in lines).encode())
        if sync:
            file.flush()
            os.fsync(file.fileno())
