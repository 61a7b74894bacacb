"""Platforms and devices: which ones a run uses, of all its processes, and where its arrays lie."""

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from tl_jax.core import processes
from tl_jax.core.errors import UserError
from tl_jax.core.files import user_cache
from tl_jax.core.types import Batch, Tree

PLATFORMS = ("auto", "cpu", "gpu", "tpu")


def setup(platform: str = "auto", devices: int = 0, distributed: str = "") -> None:
    """Choose the platform before JAX starts, and keep compiled programs between runs.

    devices: how many to use (0: all); on the CPU that many are made. distributed: see core/processes.py. Raises
    UserError if the platform, that many devices or the other processes are not to be had.
    """
    if not isinstance(devices, int) or devices < 0:
        raise UserError(f"--devices={devices}: must be a whole number of at least 0 (all of them).")
    if platform == "cpu" and devices and not os.environ.get("JAX_NUM_CPU_DEVICES"):
        with contextlib.suppress(RuntimeError):  # JAX has started: the devices are what they are
            jax.config.update("jax_num_cpu_devices", devices)
    if platform != "auto":
        jax.config.update("jax_platforms", {"gpu": "cuda"}.get(platform, platform))
    if not os.environ.get("JAX_COMPILATION_CACHE_DIR"):
        jax.config.update("jax_compilation_cache_dir", str(user_cache() / "xla"))
        jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.2)
    processes.join(distributed)
    try:
        found = jax.local_devices()
    except (RuntimeError, AssertionError) as error:  # JAX asserts where only unknown platforms are left
        extra = f" Install it with: pip install 'tl_jax[{platform}]'." if platform in ("gpu", "tpu") else ""
        reason = next(iter(str(error).splitlines()), "no such device")
        raise UserError(
            f"--platform={platform} was asked for but JAX {jax.__version__} cannot start it ({reason}).{extra} "
            "Or run with --platform=cpu."
        ) from None
    if devices > len(found):
        raise UserError(f"--devices={devices}: JAX sees {len(found)} ({found[0].platform}). Use at most {len(found)}.")


def cores() -> int:
    """The cores that this process may use, which on a cluster are not those of the node."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class Placement(NamedTuple):
    """How arrays lie on the devices: a mesh with the axes "trial" and "batch", one of which has length 1."""

    mesh: Mesh | None
    over_trials: bool

    def state(self, state: Tree) -> Tree:
        """Trial states [T, ...]: their leading axis sharded over "trial"."""
        return self._put(state, PartitionSpec("trial") if self.over_trials else PartitionSpec())

    def data(self, data: Tree) -> Tree:
        """Training sets: a copy on every device."""
        return self._put(data, PartitionSpec())

    def batch(self) -> Callable[[Batch], Batch]:
        """Inside the step: examples of a batch sharded over "batch"."""
        if self.mesh is None or self.over_trials:
            return lambda batch: batch
        sharding = NamedSharding(self.mesh, PartitionSpec("batch"))
        return lambda batch: jax.lax.with_sharding_constraint(batch, sharding)

    def _put(self, tree: Tree, spec: PartitionSpec) -> Tree:
        if self.mesh is None:
            return jax.device_put(tree, jax.devices()[0])
        sharding = NamedSharding(self.mesh, spec)
        if not processes.several():
            return jax.device_put(tree, sharding)
        return jax.tree.map(lambda x: _sent(x, sharding), tree)


def _sent(x: Any, sharding: NamedSharding) -> jax.Array:
    """An array over the devices of all processes; of one that each has whole, it sends what is its own."""
    if isinstance(x, jax.Array) and not x.is_fully_addressable:
        return jax.device_put(x, sharding)
    return jax.make_array_from_callback(np.shape(x), sharding, lambda part: np.asarray(x)[part])


def place(devices: int, trials: int, batches: Sequence[int], vmapped: bool) -> Placement:
    """The placement for `devices` of each process (0: all): trials over them where they are vmapped and divide, else
    the batch.

    Raises UserError if neither divides, with the nearest batch sizes that would.
    """
    used = [one for i in range(jax.process_count()) for one in jax.local_devices(process_index=i)[: devices or None]]
    n = len(used)
    if n == 1:
        return Placement(None, False)
    over_trials = vmapped and trials % n == 0
    for size in () if over_trials else [size for size in batches if size % n]:
        low, high = size // n * n, (size // n + 1) * n
        nearest = f"{low} or {high}" if low else str(high)
        raise UserError(
            f"Batch {size} over {n} devices: {size / n:g} each. Nearest: --batch_size={nearest}; "
            f"or use fewer --devices."
        )
    shape = (n, 1) if over_trials else (1, n)
    return Placement(Mesh(np.array(used).reshape(shape), ("trial", "batch")), over_trials)
