"""A job where a stop found it: its states, and what was summed up since its last report, in `root`/stopped.

Apart from the checkpoints, which are of evaluations alone: these stay as they would be without the stop.
"""

import json
import shutil
import time
from pathlib import Path
from typing import Any

from tl_jax.core.processes import first
from tl_jax.run.store.checkpoints import Checkpoints
from tl_jax.run.store.manifest import append
from tl_jax.run.store.names import slug

FOLDER = "stopped"
LINES = "stops.jsonl"
"""In the run directory, a line a stop: it grows whenever a run that is stopped has come further."""


class Stops:
    """The last stop of one job; nothing is there unless it was stopped since its last evaluation."""

    def __init__(self, root: Path, job: str):
        self._root, self._job = root, job
        self._path = root / FOLDER / slug(job)

    def last(self, after: int, before: int) -> int | None:
        """The step where a stop found the job, between a checkpoint and the next evaluation; any other is removed."""
        if not self.there:
            return None
        saved = self._open()
        step = saved.last_whole(before)
        saved.close()
        if step is not None and step > after:
            return step
        self.forget()
        return None

    @property
    def there(self) -> bool:
        """Whether a stop has left anything."""
        return self._path.is_dir()

    def save(self, step: int, saved: Any) -> None:
        """Save what a job goes on with; it is on disk when this returns."""
        kept = self._open()
        kept.save(step, saved)
        kept.close()
        if first():
            append(self._root / LINES, [json.dumps({"job": self._job, "step": step, "time": round(time.time())})])

    def restore(self, step: int, like: Any) -> Any:
        """What was saved, with the shapes and the places of `like`."""
        kept = self._open()
        try:
            return kept.restore(step, like)
        finally:
            kept.close()

    def forget(self) -> None:
        """Remove it: the job has come further, or begins from an earlier step."""
        shutil.rmtree(self._path, ignore_errors=True)

    def _open(self) -> Checkpoints:
        return Checkpoints(self._root, self._job, folder=FOLDER, keep=1)
