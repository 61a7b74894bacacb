"""MultiMNIST: the digit on the left and the one on the right of one image, under every strategy, five seeds.

    TL_JAX_DATA=DIR python -m experiments.multi_mnist        # seven minutes of processor time; writes the page below

DIR holds the folder mnist, from which the images are made by a seeded recipe (tl_jax/data/benchmarks/multi_mnist.py).
A small network and a few hundred steps: it says how the strategies begin under one budget, and is far from converged.
"""

from pathlib import Path

from experiments.page import script, table_of, write
from tl_jax import fit_tasks
from tl_jax.balancing.table import STRATEGIES

TASKS = ("multi_mnist/left", "multi_mnist/right")
SAME = ("fixed", "mean")
"""With two equal weights, and with steps made comparable, these are `equal`."""
NOTE = """
At these few steps the shared trunk is far from converged, and all lose to single-task training of the same length. \
`db_mtl` fails at this learning rate, 3e-3: its running means of gradients, brought to the length of the mean \
gradient, point the same way for many steps, which AdamW turns into longer ones. At 3e-4 (two seeds) it is as good as \
the plain sum, .674 and .666 against .684 and .654.
"""
PAGE = Path("docs/results/multi_mnist.md")
COMMAND = "TL_JAX_DATA=DIR python -m experiments.multi_mnist"


def main() -> None:
    """Run (or resume) and write the page."""
    result = fit_tasks(
        TASKS,
        ("single", *(name for name in STRATEGIES if name not in SAME)),
        seeds=5,
        network="cnn(widths=(8, 16), dense=64, dropout=0.0, bottleneck=0)",
        forward_plan="joint",
        batch_size=32,
        steps=300,
        eval_every=300,
        run_dir="runs/multi_mnist",
    )
    write(PAGE, "MultiMNIST", COMMAND, f" Nothing was tuned for any strategy.\n\n{table_of(result)}{NOTE}")


if __name__ == "__main__":
    script(main)
