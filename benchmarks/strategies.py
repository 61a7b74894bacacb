"""Time, operations and memory of a training step by strategy, as ratios to full fine-tuning, and to PyTorch.

    python benchmarks/strategies.py [network] [side] [repeats]      # resnet18 64 3

A step of 16 random images of side x side. Operations and bytes are the compiler's own counts of the compiled loop;
time is CPU time on one core, the median of the repeats, strategies in turn. The column PyTorch is the ratio to the time
of an eager loop with the same blocks frozen by requires_grad=False, their batch normalisation in evaluation mode,
and AdamW over the rest; it runs in a process of its own, in turn with ours, for resnet18 where torch is installed.
The last line compares an epoch of linear_probe, which computes the features anew, with one of feature_extraction.
"""

import dataclasses
import multiprocessing as mp
import os
import statistics
import sys
import tempfile
import time
from importlib.util import find_spec

import jax
import jax.numpy as jnp
import numpy as np
from conv import clock_on, torch_resnet18

from tl_jax import Domain, Examples
from tl_jax.core.trees import flatten, size_of
from tl_jax.kinds.inductive.kind import DEFAULTS as INDUCTIVE
from tl_jax.kinds.table import prepare
from tl_jax.run.execute.begin import on_features
from tl_jax.run.execute.execution import execution
from tl_jax.run.plan.setup import make_network, plain
from tl_jax.run.plan.types import Options, Task
from tl_jax.training.freezing import resolve
from tl_jax.training.trials import programs

STRATEGIES = ("full", "linear_probe", "last_k(k=2)", "last_k(k=4)", "bn_only", "bitfit", "lora(rank=4)", "layer_decay")
BATCH, STEPS, CLASSES = 16, 4, 10
TORCH = {"full": 0, "linear_probe": 5, "last_k": 4, "last_k(k=4)": 2}
"""How many of stem, four stages and head are frozen, from below."""


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


def serve_torch(pipe, side: int) -> None:
    """In the other process: a strategy comes in, CPU seconds of a step go out."""
    import torch
    from torch.nn import functional as F  # noqa: N812

    clock_on(1)
    torch.set_num_threads(1)
    x, y = torch.randint(0, 256, (BATCH, 3, side, side), dtype=torch.uint8), torch.arange(BATCH) % CLASSES
    made = {}
    for name, frozen in TORCH.items():
        net = torch_resnet18().train()
        for block in net[:frozen]:
            block.eval().requires_grad_(False)
        made[name] = net, torch.optim.AdamW([p for p in net.parameters() if p.requires_grad], lr=3e-3)

    def step(name: str) -> None:
        net, optimiser = made[name]
        optimiser.zero_grad()
        F.cross_entropy(net(x.float() / 127.5 - 1), y).backward()
        optimiser.step()

    for name in TORCH:
        step(name)
    while True:
        try:
            name = pipe.recv()
        except EOFError:  # the other process is done
            return
        began = time.process_time()
        for _ in range(STEPS):
            step(name)
        pipe.send((time.process_time() - began) / STEPS)


def torch_times(network: str, side: int):
    """A function of a strategy: CPU seconds of PyTorch's step, or None where there is nothing to compare with."""
    if network != "resnet18" or find_spec("torch") is None:
        return lambda name: None
    mine, theirs = mp.get_context("spawn").Pipe()
    mp.get_context("spawn").Process(target=serve_torch, args=(theirs, side), daemon=True).start()

    def ask(name: str) -> float | None:
        if name not in TORCH:
            return None
        mine.send(name)
        return mine.recv()

    return ask


def main(network: str = "resnet18", side: str = "64", repeats: str = "3") -> None:
    """Print one line a strategy."""
    clock_on(1)
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
    ask, theirs = torch_times(network, int(side)), {name: [] for name in found}
    for _ in range(int(repeats)):
        for name, one in found.items():
            one.go(STEPS)
            theirs[name].append(ask(name))
    full = found["full"]
    ratio = lambda a, b: f"{a / b:5.2f}"
    print(f"{network}, {BATCH} of {side}x{side}: full {1e3 * statistics.median(full.times):.0f} ms of CPU time a step")
    print(f"{'strategy':14} {'time':>6} {'operations':>11} {'temporary':>10} {'optimiser':>10} {'PyTorch':>8}")
    for name, one in found.items():
        cells = (
            ratio(statistics.median(one.times), statistics.median(full.times)),
            ratio(one.operations, full.operations),
            ratio(one.temporary, full.temporary),
            ratio(one.optimiser, full.optimiser),
        )
        known = None not in theirs[name]
        last = ratio(statistics.median(one.times), statistics.median(theirs[name])) if known else "-"
        print(f"{name:14} {cells[0]:>6} {cells[1]:>11} {cells[2]:>10} {cells[3]:>10} {last:>8}")
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
