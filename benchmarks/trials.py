"""What a trial costs by how many there are: python benchmarks/trials.py [--trials=1,4,16,64,256] [--steps=10] ...

One line a number of trials: seconds of a step of each, as one vmapped program and one after the other in one program,
against as many sequential runs of a single trial, and against an eager PyTorch loop of the same step on the same kind
of device (where torch is installed and nothing but the default step is asked for): LeNet without normalisation and
dropout, a discriminator of 1024 + 1024, batches of 64 + 64 drawn from sets that lie on the device, 28x28x3, AdamW.
PyTorch's lacks the normalisation of our bottleneck. Compilation apart. --clock=cpu measures processor time instead of
wall time, which neighbours on the machine hardly change; it says nothing on an accelerator.

--case: the whole of it. 8 values of lambda x 8 seeds of a LeNet DANN as one line, against 64 runs in turn, each a
process of its own with the same cache of compiled programs; and whether their records are equal. --turns=8 makes only
so many of the runs in turn, drawn evenly: their time is taken for all, and the records of those are compared.
"""

import argparse
import contextlib
import dataclasses
import itertools
import json
import multiprocessing as mp
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path

import jax
import jax.numpy as jnp
from conv import torch_dann, torch_stepper

from tl_jax.core.batching import some
from tl_jax.kinds.table import KINDS, prepare
from tl_jax.run.execute.execution import execution
from tl_jax.run.plan.devices import cores
from tl_jax.run.plan.types import Options

ROOT = Path(__file__).parents[1]
STEP = ("dann(hidden=1024)", "lenet(norm=False, dropout=0.0)", 64)
"""Method, network and batch that PyTorch's step has, too."""
EXAMPLES = 3000
"""Of each domain, here and there."""


def seconds(asked) -> float:
    """Now, on the clock that was asked for."""
    return time.process_time() if asked.clock == "cpu" else time.perf_counter()


def measured(asked, trials: int, mode: str) -> tuple[float, float]:
    """(seconds of compilation, seconds of a step of one trial) of a job with that many trials."""
    config = dataclasses.replace(
        KINDS["transductive"].defaults,
        source=("digits:printed?size=28",),
        target="digits:handwritten?size=28",
        methods=(asked.method,),
        network=asked.network,
        batch_size=asked.batch,
        seeds=tuple(range(trials)),
        steps=10_000,
    )
    options = Options(devices=1, trials=mode)
    (task,) = prepare(config, options, {}).tasks
    how = execution(task, options, mode)
    states = how.placement.state(how.programs.begin(task.starts(), how.data))
    progress = how.placement.state(how.programs.idle(states, how.data))
    began = seconds(asked)
    run = how.programs.run.lower(states, jnp.int32(0), how.data, progress).compile()
    compiled = seconds(asked) - began
    states, _ = jax.block_until_ready(run(states, jnp.int32(1), how.data, progress))
    taken, step = [], 1
    for _ in range(asked.repeats):
        step += asked.steps
        began = seconds(asked)
        states, _ = jax.block_until_ready(run(states, jnp.int32(step), how.data, progress))
        taken.append((seconds(asked) - began) / asked.steps / trials)
    return compiled, statistics.median(taken)


def torch_step(device):
    """A step of one trial in PyTorch, on batches that it draws itself."""
    import torch
    from torch.nn import functional as F  # noqa: N812

    net, head, critic = (part.to(device) for part in torch_dann(3))
    x, y = torch.rand(2, EXAMPLES, 3, 28, 28, device=device), torch.randint(0, 10, (EXAMPLES,), device=device)
    domain = torch.cat([torch.ones(STEP[2]), torch.zeros(STEP[2])]).to(device)

    def loss():
        drawn = torch.randint(0, EXAMPLES, (2, STEP[2]), device=device)
        f = net(torch.cat([x[0, drawn[0]], x[1, drawn[1]]]))
        adversary = F.binary_cross_entropy_with_logits(critic(f)[:, 0], domain)
        return F.cross_entropy(head(f[: STEP[2]]), y[drawn[0]]) + adversary

    return torch_stepper([*net.parameters(), *head.parameters(), *critic.parameters()], loss, "AdamW")


def serve_torch(pipe, asked, gpu: bool) -> None:
    """In the other process: where it computes, then a step of one trial, measured as often as it is asked for."""
    import torch

    torch.set_num_threads(cores())
    device = "cuda" if gpu and torch.cuda.is_available() else "cpu"
    wait = torch.cuda.synchronize if device == "cuda" else lambda: None
    torch.set_float32_matmul_precision("high" if device == "cuda" else "highest")  # as JAX's default is there
    step = torch_step(device)
    for _ in range(3):
        step()
    pipe.send(f"PyTorch {torch.__version__}, {device}")
    for _ in iter(pipe.recv, None):
        wait()
        began = seconds(asked)
        for _ in range(asked.steps):
            step()
        wait()
        pipe.send((seconds(asked) - began) / asked.steps)


def of_torch(asked) -> tuple[float | None, str]:
    """(seconds of PyTorch's step, where), or (None, why there are none)."""
    if find_spec("torch") is None:
        return None, "PyTorch is not installed: pip install torch"
    if (asked.method, asked.network, asked.batch) != STEP:
        return None, f"PyTorch's step is of {', '.join(map(str, STEP))}"
    context = mp.get_context("spawn")
    mine, theirs = context.Pipe()
    context.Process(target=serve_torch, args=(theirs, asked, jax.default_backend() == "gpu"), daemon=True).start()
    where, found = mine.recv(), []
    for _ in range(asked.repeats):
        mine.send("go")
        found.append(mine.recv())
    mine.send(None)
    return statistics.median(found), where


def table(asked) -> None:
    """Print one line a number of trials."""
    device = jax.devices()[0]
    print(f"{device.platform}: {device.device_kind}, {cores()} cores, jax {jax.__version__}; {asked.clock} time")
    print(
        f"{asked.method}, {asked.network}, batches of {asked.batch}; medians of {asked.repeats} x {asked.steps} steps"
    )
    theirs, where = of_torch(asked)
    once, alone = measured(asked, 1, "map")
    said = where if theirs is None else f"{where}: {1e3 * theirs:.2f} ms"
    print(f"a sequential run of one trial: {1e3 * alone:.2f} ms a step, {once:.1f} s to compile; {said}")
    print(
        f"{'trials':>6} {'mode':5} {'compile':>8} {'ms a trial':>11} {'sequential':>11} {'PyTorch':>8}   (times faster)"
    )
    for trials in map(int, asked.trials.split(",")):
        both = ("map", "vmap") if asked.mode == "auto" else (asked.mode,)
        for mode in both if trials > 1 else ("map",):
            compiled, each = (once, alone) if trials == 1 else measured(asked, trials, mode)
            ratio = f"{theirs / each:8.2f}" if theirs else f"{'-':>8}"
            print(f"{trials:6} {mode:5} {compiled:6.1f} s {1e3 * each:11.2f} {alone / each:11.2f} {ratio}", flush=True)


def case(asked) -> None:
    """Print the seconds of one line and of as many runs in turn, and whether their records are equal."""
    lams, seeds = [round(0.1 * (i + 1), 1) for i in range(asked.lams)], range(asked.seeds)
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder)
        line = launched(asked, place / "line", lams, list(seeds))
        every = list(itertools.product(lams, seeds))
        made = [every[i] for i in some(len(every), asked.turns or len(every))]
        turns = [launched(asked, place / f"{lam}-{seed}", [lam], [seed]) for lam, seed in made]
        apart = {key: record for path in place.glob("*-*") for key, record in by_trial(path).items()}
        together = {key: record for key, record in by_trial(place / "line").items() if key in apart}
        mode = (place / "line" / "execution.json").read_text().split('"')[3]
    wall, spent = (sum(of) / len(made) * len(every) for of in zip(*turns, strict=True))
    print(f"{len(every)} trials of {asked.steps} steps, {cores()} cores; trials of the one line: {mode}")
    print(f"runs in turn that were made: {len(made)}; their first took {turns[0][0]:.1f} s, each after it", end=" ")
    print(f"{statistics.mean(wall for wall, _ in turns[1:] or turns):.1f} s")
    print(f"records equal to the bit: {together == apart}")
    print(f"one line:     {line[0]:8.1f} s wall, {line[1]:8.1f} s of processor time")
    print(f"runs in turn: {wall:8.1f} s wall, {spent:8.1f} s of processor time")
    print(f"in turn / one line: {wall / line[0]:.2f} (wall), {spent / line[1]:.2f} (processor)")
    if together != apart:
        scores = lambda of: {key: record["selectors"]["last"]["target/accuracy"] for key, record in of.items()}
        far = max(abs(scores(together)[key] - scores(apart)[key]) for key in together)
        print(f"greatest difference of target accuracy at the last step: {far:.4f}")


def launched(asked, run_dir: Path, lams: list[float], seeds: list[int]) -> tuple[float, float]:
    """(wall seconds, seconds of processor time) of one process with these trials."""
    how = {"methods": asked.method, "network": asked.network, "batch_size": asked.batch, "trials": asked.mode}
    how |= {"steps": asked.steps, "eval_every": asked.steps, "devices": 1, "pictures": False, "run_dir": str(run_dir)}
    how |= {"sweep": {"lam": lams}, "seeds": seeds}
    words = [sys.executable, "-c", "import json, sys, tl_jax; tl_jax.fit(**json.loads(sys.argv[1]))", json.dumps(how)]
    before, began = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)})
    wall, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        sys.exit(done.stdout + done.stderr)
    return wall, after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def by_trial(run_dir: Path) -> dict[tuple[float, int], dict]:
    """{(lambda, seed): the record of that trial}."""
    found = json.loads((run_dir / "results.json").read_text())
    return {(record["values"]["lam"], record["seed"]): record for record in found}


def main() -> None:
    """Read the flags."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--trials", default="1,4,16,64,256")
    parser.add_argument("--method", default=STEP[0])
    parser.add_argument("--network", default=STEP[1])
    parser.add_argument("--batch", type=int, default=STEP[2])
    parser.add_argument("--steps", type=int, default=0, help="of a measurement (10), or of each trial of --case (300)")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--clock", choices=("wall", "cpu"), default="wall")
    parser.add_argument("--case", action="store_true")
    parser.add_argument("--lams", type=int, default=8, help="of --case")
    parser.add_argument("--seeds", type=int, default=8, help="of --case")
    parser.add_argument("--turns", type=int, default=0, help="of --case: how many of the runs in turn are made (all)")
    parser.add_argument("--mode", choices=("auto", "map", "vmap"), default="auto", help="of the trials")
    asked = parser.parse_args()
    asked.steps = asked.steps or (300 if asked.case else 10)
    with tempfile.TemporaryDirectory() as cache, contextlib.suppress(BrokenPipeError):
        os.environ["XDG_CACHE_HOME"] = cache
        case(asked) if asked.case else table(asked)


if __name__ == "__main__":
    main()
