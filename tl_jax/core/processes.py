"""Several processes that are one run: they see each other's devices, decide alike, and the first of them writes.

What a process measures, hears or reads may differ from what the others do, and would part them: it is exchanged, or
told by the first. Each such call is made by every process, in one order; of one process alone it costs nothing.
"""

import functools
import os
import pickle
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

import jax
import numpy as np
from jax.experimental import multihost_utils

from tl_jax.core.errors import MachineError, UserError
from tl_jax.core.types import Tree

FOUND = ("auto", "slurm", "tpu")
"""Where the processes' number and addresses are looked up: wherever JAX can, or in one place."""
FORM = f"{', '.join(FOUND)}, or COORDINATOR,PROCESSES,THIS as in --distributed=10.0.0.1:1234,2,0 (process 0 of 2)"
LEAVING = 20
"""Seconds that a process which ends waits for the others: where one ends alone, they end soon after."""
LEAST = 1024
"""Bytes of an exchange, or a power of two times as many: few sizes, each a compiled program."""

T = TypeVar("T")
P = ParamSpec("P")


def join(distributed: str) -> None:
    """Become one of several processes, before anything asks for devices; nothing where this is one already.

    distributed: as FORM says, or "" for a process alone. Raises UserError where the others are not to be found.
    """
    if not distributed:
        return
    where = _addresses(distributed)
    if jax.distributed.is_initialized():
        return
    # The run hears signals itself and tells the others; JAX would keep TERM to itself.
    jax.config.update("jax_enable_preemption_service", False)
    try:
        jax.distributed.initialize(**where, shutdown_timeout_seconds=LEAVING)
    except (RuntimeError, ValueError) as error:
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise UserError(f"--distributed={distributed}: JAX finds no other processes ({reason}). Give {FORM}.") from None


def _addresses(distributed: str) -> dict[str, Any]:
    """What JAX is told. Raises UserError for a text of another form, and for `slurm` where no step of SLURM's is."""
    if distributed == "slurm":
        _check_slurm()
        return {"cluster_detection_method": "slurm"}
    if distributed in FOUND:
        return {}
    coordinator, *rest = distributed.split(",")
    host, _, port = coordinator.rpartition(":")
    if not (host and port.isdigit() and len(rest) == 2 and all(part.isdigit() for part in rest)):
        raise UserError(f"--distributed={distributed}: write {FORM}.")
    count, this = map(int, rest)
    if count < 2 or this >= count:
        raise UserError(
            f"--distributed={distributed}: process {this} of {count}. There are at least two, counted from 0; one "
            "process alone has no --distributed."
        )
    return {"coordinator_address": coordinator, "num_processes": count, "process_id": this}


def _check_slurm() -> None:
    """Raises UserError unless this is one of several tasks that srun began."""
    if "SLURM_JOB_ID" not in os.environ:
        raise UserError("--distributed=slurm: this is no job of SLURM's (SLURM_JOB_ID is not set).")
    if "SLURM_STEP_NODELIST" not in os.environ:
        raise UserError("--distributed=slurm: begin the tasks with srun, as in: srun --ntasks=2 tl-jax ...")
    if os.environ.get("SLURM_NTASKS", "1") == "1":
        raise UserError(
            "--distributed=slurm: this step has one task. Ask for several, as in: srun --ntasks=2 tl-jax ..."
        )


def several() -> bool:
    """Whether there are others."""
    return jax.distributed.is_initialized() and jax.process_count() > 1


def first() -> bool:
    """Whether this process writes and speaks for all."""
    return not several() or jax.process_index() == 0


def exchanged(value: Any) -> list[Any]:
    """The values of all processes, by their numbers."""
    if not several():
        return [value]
    content = pickle.dumps(value)
    size = int(multihost_utils.process_allgather(np.int64(len(content))).max())
    size = max(LEAST, 1 << (size - 1).bit_length())
    found = multihost_utils.process_allgather(np.frombuffer(content.ljust(size, b"\0"), np.uint8))
    return [pickle.loads(row.tobytes()) for row in found]


def together(find: Callable[[], T]) -> T:
    """What this process finds, once all have looked. A mistake of any of them is raised in all."""
    if not several():
        return find()
    found, mistake = _tried(find)
    for number, other in enumerate(exchanged(mistake)):
        if other is not None:
            raise mistake or type(other)(f"process {number}: {other}")
    return found


def told(find: Callable[[], T]) -> T:
    """What the first process finds, in all; its mistake is raised in all."""
    if not several():
        return find()
    found, mistake = exchanged(_tried(find) if first() else None)[0]
    if mistake is not None:
        raise mistake
    return found


def _tried(find: Callable[[], Any]) -> tuple[Any, Exception | None]:
    try:
        return find(), None
    except (UserError, MachineError) as mistake:
        return None, mistake


def any_of(truth: bool) -> bool:
    """Whether it is so in any of them."""
    return any(exchanged(truth))


def same(value: Any) -> bool:
    """Whether all have an equal value."""
    return all(other == value for other in exchanged(value))


def here(tree: Tree) -> Tree:
    """Arrays that lie on devices of several processes, whole on this one; all others as they are."""
    return jax.tree.map(_here, tree)


def _here(x: Any) -> Any:
    if not isinstance(x, jax.Array) or x.is_fully_addressable:
        return x
    return x.addressable_data(0) if x.is_fully_replicated else multihost_utils.process_allgather(x, tiled=True)


def on_host(tree: Tree) -> Tree:
    """Arrays of NumPy, wherever they lie."""
    return jax.device_get(here(tree))


def by_the_first(write: Callable[P, None]) -> Callable[P, None]:
    """A function that writes a file, of which the other processes do nothing."""

    @functools.wraps(write)
    def alone(*args: P.args, **kwargs: P.kwargs) -> None:
        if first():
            write(*args, **kwargs)

    return alone
