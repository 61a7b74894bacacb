"""Time, operations and memory of a training step by strategy, as ratios to full fine-tuning.

    python benchmarks/strategies.py [network] [side] [repeats]      # resnet18 64 3

A step of 16 random images of side x side. Operations and bytes are the compiler's own counts of the compiled loop;
time is CPU time of this process, the median of the repeats, strategies in turn. The last line compares an epoch of
linear_probe, which computes the features anew, with one of feature_extraction, which reads them.
"""

import dataclasses
import os
import statistics
import sys
import tempfile
import time

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax import Domain, Examples
from tl_jax.core.trees import flatten, size_of
from tl_jax.run.config import INDUCTIVE
from tl_jax.run.execution import execution
from tl_jax.run.prepare import prepare
from tl_jax.run.pretrained import on_features
from tl_jax.run.setup import Options, Task, make_network, plain
from tl_jax.run.trials import programs
from tl_jax.training.freezing import resolve

STRATEGIES = ("full", "linear_probe", "last_k(k=2)", "last_k(k=4)", "bn_only", "bitfit", "lora(rank=4)", "layer_decay")
BATCH, STEPS, CLASSES = 16, 4, 10


def images(side: int, n: int = 256) -> Domain:
    """Noise: what is measured does not depend on what it shows."""
    rng = np.random.default_rng(0)
    draw = lambda n: Examples(
        rng.integers(0, 256, (n, side, side, 3)).astype(np.uint8), np.arange(n, dtype=np.int32) % 10
    )
    return Domain("noise", tuple(map(str, range(CLASSES))), draw(n), draw(20), draw(20))


class Measured:
    """The compiled steps of one task."""

    def __init__(self, task: Task):
        how = execution(task, Options(devices=1), "map")
        factors = resolve(task.rules, task.shapes)
        built = programs(how.recipe, factors, "map")
        self.data, self.times = how.data, []
        self.states = built.begin(task.starts(), how.data)
        self.optimiser = size_of(self.states.opt)[1]
        self.run = built.run.lower(self.states, jnp.int32(0), how.data).compile()
        cost = self.run.cost_analysis()
        self.operations = (cost[0] if isinstance(cost, list) else cost).get("flops", float("nan"))
        self.temporary = self.run.memory_analysis().temp_size_in_bytes
        self.step = 0
        self.go(1)
        self.times.clear()

    def go(self, steps: int) -> None:
        """Run some steps and note the CPU seconds of one."""
        began = time.process_time()
        self.step += steps
        self.states, _ = self.run(self.states, jnp.int32(self.step), self.data)
        jax.block_until_ready(self.states)
        self.times.append((time.process_time() - began) / steps)


def main(network: str = "resnet18", side: str = "64", repeats: str = "3") -> None:
    """Print one line a strategy."""
    domain = images(int(side))
    config = dataclasses.replace(
        INDUCTIVE,
        source=("noise",),
        target="noise",
        network=f"{network}(bottleneck=0)",
        strategies=STRATEGIES,
        labels_per_class=(),
        seeds=(0,),
        batch_size=BATCH,
        steps=10_000,
    )
    setup = prepare(config, Options(devices=1), {"noise": domain})
    # Nothing is pretrained here: a step costs the same from any weights.
    tasks = {task.job.name: task._replace(start=None) for task in setup.tasks}
    found = {name: Measured(task) for name, task in tasks.items()}
    for _ in range(int(repeats)):
        for one in found.values():
            one.go(STEPS)
    full = found["full"]
    ratio = lambda a, b: f"{a / b:5.2f}"
    print(f"{network}, {BATCH} of {side}x{side}: full {1e3 * statistics.median(full.times):.0f} ms of CPU time a step")
    print(f"{'strategy':14} {'time':>6} {'operations':>11} {'temporary':>10} {'optimiser':>10}   (ratios to full)")
    for name, one in found.items():
        cells = (
            ratio(statistics.median(one.times), statistics.median(full.times)),
            ratio(one.operations, full.operations),
            ratio(one.temporary, full.temporary),
            ratio(one.optimiser, full.optimiser),
        )
        print(f"{name:14} {cells[0]:>6} {cells[1]:>11} {cells[2]:>10} {cells[3]:>10}")
    probe = found["linear_probe"]
    cached = Measured(_cached(tasks["linear_probe"]))
    for _ in range(int(repeats)):
        cached.go(200)
    seconds = statistics.median(probe.times), statistics.median(cached.times)
    print(f"an epoch on cached features is {seconds[0] / seconds[1]:.0f} times as fast as one of linear_probe")


def _cached(task: Task) -> Task:
    network = make_network(task.config, task.problem, plain(task.job), "map")
    params, stats = jax.jit(network.init)(jax.random.key(0), jnp.asarray(task.problem.target.train.x[:2]))
    model = jax.tree.map(lambda x: np.asarray(x)[None], (flatten(params), {"all": stats}))
    return on_features(task, model)


if __name__ == "__main__":
    os.environ["XDG_CACHE_HOME"] = tempfile.mkdtemp()
    main(*sys.argv[1:])
