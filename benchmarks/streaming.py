"""What streaming costs a step: python benchmarks/streaming.py [repeats]

A training step of `source_only` and of `dann` on 64 + 64 of 64x64x3 from two memory-mapped sets of 8000 images each
(98 MB), on the device whole, and streamed in windows that fit in 20 MB by threads and by two processes. The ways take
turns; wall time and CPU time a step are medians, without the first window and without compilation.
"""

import contextlib
import statistics
import sys
import tempfile
import time
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.data.domain import Domain, Examples
from tl_jax.run.config import Config
from tl_jax.run.execution import execution
from tl_jax.run.prepare import prepare
from tl_jax.run.setup import Options, Task
from tl_jax.run.streaming import none_yet
from tl_jax.run.trials import programs
from tl_jax.training.freezing import resolve

N, SIDE, STEPS, SKIPPED = 8000, 64, 120, 20
WAYS = {
    "on the device": Options(devices=1),
    "threads": Options(devices=1, device_bytes=20_000_000),
    "two processes": Options(devices=1, device_bytes=20_000_000, workers=2),
}


def noise(folder: Path, name: str) -> Domain:
    """Images of noise, its training split memory-mapped as decoded images are."""
    rng = np.random.default_rng(len(name))
    path = folder / f"{name}.npy"
    np.save(path, rng.integers(0, 256, (N, SIDE, SIDE, 3), dtype=np.uint8))
    x, y = np.load(path, mmap_mode="r"), rng.integers(0, 10, N).astype(np.int32)
    few = Examples(np.array(x[:64]), y[:64])
    return Domain(name, tuple("0123456789"), Examples(x, y), few, few)


def seconds(task: Task, options: Options) -> tuple[float, float]:
    """Wall and CPU seconds of a step."""
    how = execution(task, options, "map")
    built = programs(how.recipe, resolve(task.rules, task.shapes), "map")
    states = how.placement.state(built.begin(task.starts(), how.data))
    step, began, spent = 0, 0.0, 0.0
    with contextlib.closing(how.feed(0)) as windows:
        before = None
        while step < STEPS:
            end, data = next(windows)
            while step < min(end, STEPS):
                before = before or none_yet(built.run, states, data)
                step = min(end, STEPS, step + SKIPPED)
                states, _ = built.run(states, jnp.int32(step), data, before)
                if not began and step >= SKIPPED:
                    jax.block_until_ready(states)
                    first, began, spent = step, time.perf_counter(), time.process_time()
            jax.block_until_ready(states)
            del data
        counted = STEPS - first
        return (time.perf_counter() - began) / counted, (time.process_time() - spent) / counted


def main(repeats: int = 3) -> None:
    """Print milliseconds a step, and the ratio to what lies on the device."""
    with tempfile.TemporaryDirectory() as place:
        domains = {name: noise(Path(place), name) for name in ("near", "distant")}
        methods = ("source_only", "dann")
        config = Config(source=("near",), target="distant", methods=methods, seeds=(0,), steps=STEPS, network="lenet")
        for task in prepare(config, Options(devices=1), domains).tasks:
            found = {way: [] for way in WAYS}
            for _ in range(repeats):
                for way, options in WAYS.items():
                    found[way].append(seconds(task, options))
            middle = {way: [statistics.median(c) for c in zip(*rows, strict=True)] for way, rows in found.items()}
            base = middle["on the device"]
            for way, (wall, cpu) in middle.items():
                print(
                    f"{task.job.name:12} {way:14} {wall * 1e3:6.1f} ms ({wall / base[0]:.2f}), "
                    f"CPU {cpu * 1e3:6.1f} ms ({cpu / base[1]:.2f})"
                )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
