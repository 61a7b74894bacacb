"""Checkpoints of a job: Orbax, asynchronous and atomic, every trial's whole state, with digests of every file."""

import contextlib
import errno
import functools
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp
from absl import logging

from tl_jax.core.errors import MachineError, UserError, what_failed
from tl_jax.core.files import say, write_atomically
from tl_jax.core.sealed import opened, seal
from tl_jax.run.store.names import slug

DIGESTS = "sha256.json"
"""In the folder of a checkpoint, written when all else is there: without it the checkpoint is not complete."""
TIMES = "_CHECKPOINT_METADATA"
LATER = (DIGESTS, TIMES, "commit_success.txt")
"""What Orbax writes after the digests: when it was done, and a mark."""
CHECKPOINTS = "checkpoints"
"""Their folder in a run directory."""


class Checkpoints:
    """The last complete states of one job, `keep` of them, under `root`/`folder`.

    read_only: of a run that another process may be writing: nothing is cleaned up.
    """

    def __init__(self, root: Path, job: str, read_only: bool = False, *, folder: str = CHECKPOINTS, keep: int = 2):
        self.path = (root / folder / slug(job)).absolute()
        self.job = job
        self._begun = 0
        if read_only:
            self._options = ocp.CheckpointManagerOptions(
                read_only=True, create=False, max_to_keep=None, save_interval_steps=0
            )
        else:
            ready = ocp.options.AsyncOptions(post_finalization_callback=self._note)
            self._options = ocp.CheckpointManagerOptions(
                max_to_keep=keep, cleanup_tmp_directories=True, async_options=ready
            )

    @functools.cached_property
    def _manager(self) -> ocp.CheckpointManager:
        """What saves and restores, by all processes together; what is there to be found one alone can look for."""
        verbosity = logging.get_verbosity()
        if self._options.read_only:
            logging.set_verbosity(logging.ERROR)  # Orbax warns of a directory that is only read
        try:
            with self._faults():
                return ocp.CheckpointManager(self.path, options=self._options)
        finally:
            logging.set_verbosity(verbosity)

    def _steps(self) -> list[int]:
        return sorted(int(folder.name) for folder in self.path.glob("*") if folder.name.isdigit())

    def last_step(self) -> int | None:
        """The step of the last checkpoint that was begun or is complete."""
        return max([*self._steps(), self._begun]) or None

    def last_whole(self, before: float = float("inf")) -> int | None:
        """The step of the last checkpoint that is as it was written, among those before a step; damage is said."""
        for step in reversed(self._steps()):
            if step < before and self._whole(step):
                return step
        return None

    def drop_after(self, step: int) -> None:
        """Remove what is later, so that it can be written again."""
        for later in [found for found in self._steps() if found > step]:
            shutil.rmtree(self.path / str(later))
        if "_manager" in vars(self):
            self._manager.reload()

    def save(self, step: int, state: Any) -> None:
        """Begin to save; the state may be donated to the next step at once."""
        with self._faults():
            self._manager.save(step, args=ocp.args.StandardSave(state))
        self._begun = step

    def restore(self, step: int, like: Any) -> Any:
        """The state at a step, with the shapes and the places of `like`. Raises UserError if it does not fit."""
        shapes = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        try:
            return self._manager.restore(step, args=ocp.args.StandardRestore(shapes))
        except Exception as error:  # tensorstore raises what it likes
            reason = next(iter(str(error).strip().splitlines()), type(error).__name__)[:300]
            raise UserError(
                f"Checkpoint {self.path}/{step} cannot be restored: {reason}. Nothing was loaded or removed. Its files "
                "are as they were written, so it was written by another version or for other settings: use a new "
                "--run_dir."
            ) from None

    def wait(self) -> None:
        """Until everything saved is on disk."""
        if self._begun:
            with self._faults():
                self._manager.wait_until_finished()

    def close(self) -> None:
        """Wait and release."""
        if "_manager" in vars(self):
            with self._faults():
                self._manager.close()

    def _note(self) -> None:
        """Write the digests of the checkpoint that is about to be renamed to its step: they come and go with it."""
        for folder in self.path.glob("*.orbax-checkpoint-tmp"):
            if not (folder / DIGESTS).exists():
                write_atomically(folder / DIGESTS, seal(digests(folder)).encode())

    def _whole(self, step: int) -> bool:
        folder = self.path / str(step)
        if not (folder / DIGESTS).exists():
            return False  # a kill came before it was complete
        try:
            noted = opened((folder / DIGESTS).read_bytes())
        except ValueError:
            noted = {DIGESTS: "damaged"}
        found = digests(folder)
        bad = sorted(name for name in noted.keys() | found.keys() if noted.get(name) != found.get(name))
        try:
            json.loads((folder / TIMES).read_bytes())
        except (OSError, ValueError):
            bad.append(TIMES)
        if bad:
            say(f"{self.job}: the checkpoint of step {step} is damaged ({bad[0]}): it is not used.")
        return not bad

    @contextlib.contextmanager
    def _faults(self) -> Iterator[None]:
        """Raises MachineError where the disk is at fault, whatever tensorstore calls it."""
        try:
            yield
        except OSError as error:
            raise MachineError(what_failed(error, self.path)) from error
        except Exception as error:
            said = next((n for n in _DISK if os.strerror(n) in str(error)), None)
            if said is None:
                raise
            raise MachineError(what_failed(OSError(said, os.strerror(said)), self.path)) from error


_DISK = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES, errno.EFBIG)


def digests(folder: Path) -> dict[str, str]:
    """{file below the folder: sha256} of all but the digests themselves and what is written after them."""
    found = {}
    for path in sorted(folder.rglob("*")):
        late = path.parent == folder and path.name in LATER
        if path.is_file() and not late and not path.name.startswith("."):
            with path.open("rb") as file:
                found[str(path.relative_to(folder))] = hashlib.file_digest(file, "sha256").hexdigest()
    return found
