"""Evaluation on a CPU in batches of 32 (`core/batching.py`) beside 256: processor time an example, in turn.

    python benchmarks/evaluating.py [repeats] [network ...]

Every network in the form that a run on a CPU has, its weights at random, as many trials vmapped as the column says;
user and system time of the process, the least of the repeats. Prints the rows of docs/performance.md.
"""

import sys
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from predicting import least

from tl_jax.models.networks import build, network

NETWORKS = {
    "cnn": ((16, 16, 3), 2048, (1, 3)),
    "lenet": ((28, 28, 1), 2048, (1, 3)),
    "resnet18": ((64, 64, 3), 256, (1, 3)),
    "vit_tiny": ((64, 64, 3), 256, (1, 3)),
    "text_transformer(vocabulary=1000)": ((64,), 512, (1, 3)),
    "minilm(length=128)": ((128,), 256, (1,)),
}
"""{network: (shape of an example, how many, trials)}."""
BATCHES = (256, 32)


def evaluation(name: str, trials: int, batch: int) -> Callable[[], None]:
    """All examples once, compiled before."""
    shape, size, _ = NETWORKS[name]
    rng = np.random.default_rng(0)
    x = rng.integers(1, 900, (size, *shape), np.int32) if len(shape) == 1 else rng.random((size, *shape), np.float32)
    net = build(network(name)(), 10, form="patches")
    start = jax.vmap(lambda key: net.init(key, jnp.asarray(x[:1])))(jax.random.split(jax.random.key(0), trials))
    apply = jax.jit(jax.vmap(lambda params, stats, x: net.apply(params, stats, x)[0].logits, (0, 0, None)))

    def all_of_it() -> None:
        for begin in range(0, size, batch):
            jax.block_until_ready(apply(*start, x[begin : begin + batch]))

    all_of_it()
    return all_of_it


def main() -> None:
    """Print a row for each network and number of trials."""
    repeats, names = int((sys.argv[1:] or ["3"])[0]), sys.argv[2:] or list(NETWORKS)
    print(f"| network | trials | {' | '.join(f'{batch} at once, ms' for batch in BATCHES)} | ratio |")
    print("|---" * (3 + len(BATCHES)) + "|")
    for name in names:
        for trials in NETWORKS[name][2]:
            works = [evaluation(name, trials, batch) for batch in BATCHES]
            each = [1e3 * seconds / (NETWORKS[name][1] * trials) for seconds in least(works, repeats)]
            cells = [f"{ms:.3g}" for ms in each]
            print(
                f"| {name.partition('(')[0]} | {trials} | {' | '.join(cells)} | {each[1] / each[0]:.2f} |", flush=True
            )


if __name__ == "__main__":
    main()
