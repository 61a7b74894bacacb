"""Sets that do not fit on the device: the rows of the next steps, read ahead by Grain.

The order is the sampler's, so nothing here has a state: window k holds the rows of the steps from k * steps on,
whoever reads it and wherever a run begins.
"""

import contextlib
import multiprocessing
import multiprocessing.connection
import os
import signal
import threading
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax
import numpy as np

from tl_jax.core.errors import MachineError
from tl_jax.data.domain import Pictures
from tl_jax.data.pipeline.host_sampler import rows
from tl_jax.data.pipeline.window import Stored

Read = dict[str, tuple[np.ndarray, np.ndarray]]
"""{name of a set: (rows [w] ascending, x [w, ...])}."""


class Streamed(NamedTuple):
    """A set whose rows are streamed, and who draws from it.

    stored: where its rows are taken from. words [d, k]: the data of the random keys that draw; lists: for every key the
    rows it draws among [d, m], or None for all; batch: how many each of them draws in a step.
    """

    stored: Stored | Pictures
    words: np.ndarray
    lists: np.ndarray | None
    batch: int

    @property
    def size(self) -> int:
        """How many examples the set has."""
        return self.stored.shape[0]

    @property
    def row_bytes(self) -> int:
        """Of one example."""
        return int(np.prod(self.stored.shape[1:])) * self.stored.dtype.itemsize

    def drawn(self, steps: np.ndarray) -> np.ndarray:
        """Every row that any key draws in those steps, ascending, and the first two, which give shapes."""
        found = [np.arange(min(2, self.size))]
        for i, words in enumerate(self.words):
            if self.lists is None:
                found.append(rows(words, steps, self.batch, self.size))
            else:
                found.append(self.lists[i][rows(words, steps, self.batch, self.lists.shape[1])])
        return np.unique(np.concatenate(found))


@dataclass(frozen=True)
class Windows:
    """Windows of `steps` steps over a run of `total`, as Grain reads a source: by number."""

    sets: dict[str, Streamed]
    steps: int
    total: int

    def __len__(self) -> int:
        return -(-self.total // self.steps)

    def __getitem__(self, index: int) -> Read:
        begin = int(index) * self.steps
        steps = np.arange(begin, min(begin + self.steps, self.total))
        return {name: self._held(part, part.drawn(steps)) for name, part in self.sets.items()}

    def first_two(self) -> Read:
        """A window, of the size of all, that has only the first two rows of each set: what gives shapes."""
        return {name: self._held(part, np.arange(min(2, part.size))) for name, part in self.sets.items()}

    def capacity(self, part: Streamed) -> int:
        """Rows of a window of a set: the same for all, so that one compiled program takes them."""
        return len(part.words) * self.steps * part.batch + 2

    def _held(self, part: Streamed, wanted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        held = np.full(self.capacity(part), part.size, np.int32)
        held[: len(wanted)] = wanted
        x = np.empty((len(held), *part.stored.shape[1:]), part.stored.dtype)
        part.stored.take(wanted, x[: len(wanted)])
        x[len(wanted) :] = 0
        return held, x


def in_files(windows: Windows) -> bool:
    """Whether every set lies in a file, which worker processes can open."""
    return all(isinstance(part.stored, Stored) and part.stored.array is None for part in windows.sets.values())


def decoders(windows: Windows) -> int:
    """By how many processes pictures are decoded; 0 where there are none, which are read by other means."""
    return max((x.stored.workers for x in windows.sets.values() if isinstance(x.stored, Pictures)), default=0)


def read_ahead(windows: Windows, first: int, workers: int = 0) -> contextlib.closing[Any]:
    """Windows first, first + 1, ..., each read while those before it are in use; close it in the end.

    workers: processes that read; with 0, and for sets that lie in no file, threads of this process.
    """
    import grain
    from absl import flags

    threads = grain.ReadOptions(num_threads=2, prefetch_buffer_size=2)
    one = grain.ReadOptions(num_threads=1, prefetch_buffer_size=1)
    processes = workers if in_files(windows) else 0
    threads = one if processes or decoders(windows) else threads  # all of which decode one window after the other
    read = grain.MapDataset.source(windows)[first:].to_iter_dataset(threads)
    if processes:
        if not flags.FLAGS.is_parsed():  # Grain reads flags of its own
            flags.FLAGS.mark_as_parsed()
        how = grain.MultiprocessingOptions(num_workers=processes, per_worker_buffer_size=1)
        read = read.mp_prefetch(how, worker_init_fn=_begin_worker)
    return contextlib.closing(iter(read))


def _begin_worker(index: int, count: int) -> None:
    """No worker may start JAX on the accelerator that the run holds, answer Ctrl-C in its place, or outlive it."""
    del index, count
    jax.config.update("jax_platforms", "cpu")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_the_run, daemon=True).start()


def _end_with_the_run() -> None:
    run = multiprocessing.parent_process()
    if run is not None:
        multiprocessing.connection.wait([run.sentinel])
        os._exit(1)


def lost_worker(error: Exception) -> MachineError | None:
    """What to say where a worker process was killed, by the system when memory ran out or by someone; else None."""
    if "Worker process was terminated" not in str(error):
        return None
    return MachineError(
        "A process that reads the data was killed (often because memory ran out; the system's log tells). Run the same "
        "line again: it goes on from the last evaluation that was saved. Fewer --workers need less memory."
    )
