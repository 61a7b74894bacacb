"""Memory of a training step by --accumulate and --remat, by the compiler's own count.

    python benchmarks/memory.py [network] [side] [batch]      # vit_tiny 96 32

A step of source_only on random images of side x side, compiled and not run. Temporary memory is what a step needs
beside its arguments: activations, gradients, the batch. Operations tell what the recomputing costs; the compiler counts
what is in a loop once, so they are times the parts.
"""

import sys

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax import Domain, Examples
from tl_jax.kinds.table import prepare
from tl_jax.run.execute.execution import execution
from tl_jax.run.plan.types import Options
from tl_jax.run.settings.config import Config

WAYS = tuple((parts, remat) for remat in (False, True) for parts in (1, 4))
"""(--accumulate, --remat)."""


def images(side: int, n: int) -> Domain:
    """Noise: memory does not depend on what it shows."""
    rng = np.random.default_rng(0)
    draw = lambda n: Examples(
        rng.integers(0, 256, (n, side, side, 3)).astype(np.uint8), np.arange(n, dtype=np.int32) % 4
    )
    return Domain("noise", tuple("abcd"), draw(n), draw(8), draw(8))


def counted(config: Config, domain: Domain) -> tuple[float, float]:
    """(bytes, operations) of the loop of one job's steps, as the compiler has them."""
    (task,) = prepare(config, Options(), {"noise": domain}).tasks
    how = execution(task, Options(devices=1), "map")
    states = jax.eval_shape(how.programs.begin, task.starts(), how.data)
    compiled = how.programs.run.lower(states, jnp.int32(1), how.data).compile()
    return compiled.memory_analysis().temp_size_in_bytes, compiled.cost_analysis()["flops"]


def main(network: str = "vit_tiny", side: str = "96", batch: str = "32") -> None:
    """The table."""
    domain = images(int(side), 2 * int(batch))
    print(f"{network}, {batch} of {side}x{side}x3, on {jax.devices()[0].device_kind}")
    print("accumulate  remat    temporary   of plain   operations")
    plain: tuple[float, float] | None = None
    for parts, remat in WAYS:
        config = Config(
            source=("noise",),
            target="noise",
            network=network,
            methods=("source_only",),
            seeds=(0,),
            batch_size=int(batch),
            accumulate=parts,
            remat=remat,
        )
        found = counted(config, domain)
        plain = plain or found
        share, work = (one / base for one, base in zip(found, plain, strict=True))
        print(f"{parts:10}  {remat!s:5} {found[0] / 2**20:9.1f} MB {share:9.2f} {work * parts:12.2f}", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
