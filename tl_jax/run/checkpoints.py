"""Checkpoints of a job: Orbax, asynchronous and atomic, every trial's whole state."""

from pathlib import Path
from typing import Any

import jax
import orbax.checkpoint as ocp

from tl_jax.core.errors import UserError
from tl_jax.run.rundir import slug


class Checkpoints:
    """The last two complete states of one job under `root`/checkpoints."""

    def __init__(self, root: Path, job: str):
        self.path = (root / "checkpoints" / slug(job)).absolute()
        options = ocp.CheckpointManagerOptions(max_to_keep=2, cleanup_tmp_directories=True)
        self._manager = ocp.CheckpointManager(self.path, options=options)

    def last_step(self) -> int | None:
        """The step of the last complete checkpoint."""
        return self._manager.latest_step()

    def save(self, step: int, state: Any) -> None:
        """Begin to save; the state may be donated to the next step at once."""
        self._manager.save(step, args=ocp.args.StandardSave(state))

    def restore(self, step: int, like: Any) -> Any:
        """The state at a step, with the shapes and the places of `like`. Raises UserError if it does not fit."""
        shapes = jax.tree.map(ocp.utils.to_shape_dtype_struct, like)
        try:
            return self._manager.restore(step, args=ocp.args.StandardRestore(shapes))
        except (ValueError, KeyError, FileNotFoundError) as error:
            reason = str(error).strip().splitlines()[0][:300]
            raise UserError(
                f"Checkpoint {self.path}/{step} cannot be restored: {reason}. Nothing was loaded. It is damaged or "
                f"was written by another version: remove {self.path} to train this job again."
            ) from None

    def wait(self) -> None:
        """Until everything saved is on disk."""
        self._manager.wait_until_finished()

    def close(self) -> None:
        """Wait and release."""
        self._manager.close()
