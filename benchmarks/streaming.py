"""What streaming costs a step: the same run with its sets on the device, read by threads, and by two processes.

    python benchmarks/streaming.py [repeats]      # 5

Random images in two memory-mapped files of 61 MB each (20,000 of 32 x 32 x 3) stream through --device_bytes of 8 MB.
Network `mlp` does nearly nothing with an image, which is the worst case; `cnn`, the default, is a small network too.
Time is wall time of STEPS steps of 64 + 64 after the first window and the compilation, without evaluations; contenders
in turn, medians, ratios to the sets on the device. On a CPU reading and computing share the cores, as they do not with
an accelerator: what is seen here is an upper bound.
"""

import contextlib
import itertools
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax import Domain, Examples
from tl_jax.kinds.table import prepare
from tl_jax.run.execute.execution import execution
from tl_jax.run.plan.types import Options
from tl_jax.run.settings.config import Config

STEPS, SIZE, SIDE = 256, 20000, 32
NETWORKS = ("mlp", "cnn")
CONTENDERS = {
    "on the device": {},
    "threads": {"device_bytes": 8 << 20},
    "processes": {"device_bytes": 8 << 20, "workers": 2},
}


def stored(folder: Path, name: str) -> Domain:
    """A domain of noise whose training images are in a file."""
    rng = np.random.default_rng(0)
    x = np.lib.format.open_memmap(folder / f"{name}.npy", "w+", np.uint8, (SIZE, SIDE, SIDE, 3))
    x[:] = rng.integers(0, 256, x.shape, np.uint8)
    x.flush()
    x = np.load(folder / f"{name}.npy", mmap_mode="r")
    y = np.arange(SIZE, dtype=np.int32) % 10
    few = Examples(np.asarray(x[:50]), y[:50])
    return Domain(name, tuple("0123456789"), Examples(x, y), few, few)


class Contender:
    """A job, ready to take steps."""

    def __init__(self, network: str, domains: dict[str, Domain], how: dict[str, int]):
        config = Config(
            source=("a",), target="b", network=network, methods=("source_only",), seeds=(0,), steps=64 + STEPS
        )
        options = Options(devices=1, trials="map", **how)
        task = prepare(config, options, domains).tasks[0]
        self.execution = execution(task, options, "map")
        self.begin = lambda: self.execution.programs.begin(task.starts(), self.execution.data)

    def seconds(self) -> float:
        """Wall time of STEPS steps after the first 64."""
        states, step, begun = self.begin(), 0, 0.0
        run, progress = self.execution.programs.run, self.execution.programs.idle(states, self.execution.data)
        with contextlib.closing(self.execution.feed(0)) as windows:
            for end, data in windows:
                for until in (64, 64 + STEPS):
                    until = min(until, end)
                    if until <= step:
                        continue
                    step = until
                    states, progress = run(states, jnp.int32(step), data, progress)
                    jax.block_until_ready(states)
                    begun = begun or (time.perf_counter() if step >= 64 else 0.0)
                del data
        return time.perf_counter() - begun


def main(repeats: int) -> None:
    """Print a table."""
    print(f"{os.cpu_count()} cores, {STEPS} steps, {repeats} repeats")
    with tempfile.TemporaryDirectory() as folder:
        domains = {name: stored(Path(folder), name) for name in "ab"}
        for network in NETWORKS:
            ready = {name: Contender(network, domains, how) for name, how in CONTENDERS.items()}
            times = {name: [] for name in ready}
            for _, name in itertools.product(range(repeats + 1), ready):
                times[name].append(ready[name].seconds())
            medians = {name: statistics.median(found[1:]) for name, found in times.items()}
            for name, value in medians.items():
                ratio = value / medians["on the device"]
                print(f"{network:4}  {name:14} {1e3 * value / STEPS:7.2f} ms a step  {ratio:5.2f}", flush=True)


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5)
