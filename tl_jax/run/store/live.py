"""Metrics while a run goes on, for TensorBoard: a folder a trial under RUN/tensorboard, by tensorboardX.

What a job has measured before is written anew when it goes on, from its own records: a run that was killed or stopped
has every point once. `launch.report --export` writes finished runs, with their settings and results.
"""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tl_jax.core.errors import needed
from tl_jax.core.processes import first
from tl_jax.run.store.names import slug
from tl_jax.run.store.rundir import RunDirectory

FOLDER = "tensorboard"
BESIDES = ("job", "step", "seed", "values")
"""What a line of metrics.jsonl holds that is no metric."""
Line = Mapping[str, Any]


class Live:
    """The writer of a run; swept: names of the values that tell its trials apart, beside the seed."""

    def __init__(self, directory: RunDirectory, swept: Sequence[str]):
        self._directory, self._swept = directory, swept
        self._job = ""
        self._writers: dict[str, Any] = {}

    def add(self, job: str, lines: Sequence[Line]) -> None:
        """The lines of an evaluation that was just stored; of a job's first here also those before."""
        if not first():
            return
        if job != self._job:
            self.close()
            shutil.rmtree(self._folder(job), ignore_errors=True)
            self._job, lines = job, self._directory.manifest(job).lines()
        for line in lines:
            writer = self._writer(self._folder(job) / self._trial(line))
            for name, value in line.items():
                if name not in BESIDES and isinstance(value, int | float):
                    writer.add_scalar(name, value, line["step"])
        for writer in self._writers.values():
            writer.flush()

    def close(self) -> None:
        """Write what is left."""
        for writer in self._writers.values():
            writer.close()
        self._writers.clear()
        self._job = ""

    def _folder(self, job: str) -> Path:
        return self._directory.root / FOLDER / slug(job)

    def _trial(self, line: Line) -> str:
        values = [f"{name}={line['values'][name]:g}" for name in self._swept if name in line["values"]]
        return " ".join([*values, f"seed={line['seed']}"])

    def _writer(self, place: Path) -> Any:
        if str(place) not in self._writers:
            self._writers[str(place)] = needed("tensorboardX", "--log").SummaryWriter(str(place))
        return self._writers[str(place)]
