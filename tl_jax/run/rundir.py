"""The run directory: what a run leaves behind, written so that a kill at any moment loses nothing."""

import json
import os
import platform
import re
import subprocess
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.core.places import write_atomically
from tl_jax.run.config import Config


def write_json(path: Path, value: Any) -> None:
    """Indented JSON, atomically. Raises ValueError for NaN or infinity: they are not JSON."""
    write_atomically(path, (json.dumps(value, indent=1, allow_nan=False) + "\n").encode())


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """An .npz file, atomically."""
    with tempfile.SpooledTemporaryFile() as file:
        np.savez(file, **arrays)  # pyright: ignore[reportArgumentType]
        file.seek(0)
        write_atomically(path, file.read())


def read_arrays(path: Path) -> dict[str, np.ndarray]:
    """Every array of an .npz file."""
    with np.load(path) as file:
        return dict(file)


def slug(name: str) -> str:
    """A file name for a job: 'cdan(entropy=True)' -> 'cdan-entropy-True'."""
    return re.sub(r"[^\w.]+", "-", name).strip("-")


@dataclass(frozen=True)
class RunDirectory:
    """config.json, environment.json, metrics.jsonl, records/, checkpoints/, results.json and the plots."""

    root: Path

    def claim(self, config: Config) -> None:
        """Take the directory for this config, or resume it. Raises UserError if it holds another one."""
        path = self.root / "config.json"
        ours = config.to_json()
        if path.exists():
            try:
                theirs = json.loads(path.read_text())
            except ValueError:
                raise UserError(f"{path} is not readable JSON. Use a new --run_dir, or remove it.") from None
            changed = [k for k in ours.keys() | theirs.keys() if ours.get(k) != theirs.get(k)]
            if changed:
                was = ", ".join(f"{k}={theirs.get(k)}" for k in sorted(changed))
                now = ", ".join(f"{k}={ours.get(k)}" for k in sorted(changed))
                raise UserError(
                    f"{self.root} was made with {was}; now {now}. Resuming needs equal configurations. "
                    "Use a new --run_dir, or drop --run_dir: each configuration then gets its own."
                )
        elif self.root.is_dir() and any(self.root.iterdir()):
            raise UserError(
                f"{self.root} is not empty and holds no config.json: not a run directory. Use a new --run_dir."
            )
        elif self.root.exists() and not self.root.is_dir():
            raise UserError(f"--run_dir={self.root} is a file. Use a new --run_dir.")
        else:
            write_json(path, ours)
        write_json(self.root / "environment.json", environment())

    def record_path(self, job: str, step: int) -> Path:
        """Where the predictions of one evaluation are kept."""
        return self.root / "records" / slug(job) / f"{step:08d}.npz"

    def features_path(self, job: str) -> Path:
        """Features to be shown. Written last: where it exists, the job is finished."""
        return self.root / "records" / slug(job) / "features.npz"

    def records(self, job: str) -> dict[int, dict[str, np.ndarray]]:
        """Every stored evaluation of a job by step."""
        found = {}
        for path in sorted((self.root / "records" / slug(job)).glob("[0-9]*.npz")):
            found[int(path.stem)] = read_arrays(path)
        return found

    def keep_metrics(self, job: str, last_step: int) -> None:
        """Drop a job's metric lines after a step: they are about to be written again."""
        path = self.root / "metrics.jsonl"
        kept = [x for x in read_lines(path) if x["job"] != job or x["step"] <= last_step]
        write_atomically(path, "".join(json.dumps(x) + "\n" for x in kept).encode())

    def add_metrics(self, lines: Iterable[Mapping[str, Any]]) -> None:
        """Append lines to metrics.jsonl."""
        with (self.root / "metrics.jsonl").open("a") as file:
            file.write("".join(json.dumps(line) + "\n" for line in lines))


def read_lines(path: Path) -> list[dict[str, Any]]:
    """The JSON lines of a file; a last line cut short by a kill is left out."""
    lines = []
    for text in path.read_text().splitlines() if path.exists() else []:
        try:
            lines.append(json.loads(text))
        except ValueError:
            continue
    return lines


def environment() -> dict[str, Any]:
    """Versions, devices and the commit, for whoever wants to repeat a number."""
    git = ["git", "-C", str(Path(__file__).parent), "rev-parse", "HEAD"]
    try:
        commit = subprocess.run(git, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        commit = None
    packages = ("tl_jax", "jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "numpy")
    return {
        "python": platform.python_version(),
        "packages": {name: version(name) for name in packages},
        "platform": jax.default_backend(),
        "devices": [str(device.device_kind) for device in jax.devices()],
        "cpus": os.cpu_count(),
        "commit": commit,
    }
