"""MNIST and MNIST-M without labels: SimCLR on both, then kNN and retrieval across them.

    TL_JAX_DATA=/data python -m experiments.mnist_without_labels       # writes the page below

/data holds the folders mnist and mnist_m; the target is the 5000 training images of MNIST-M's small file, and up to
5000 examples of each set are judged. The numbers that came out are in docs/results/mnist_without_labels.md: this
script wrote them. 400 steps of 64 + 64, AdamW at 1e-3 falling along a cosine, two seeds, nothing tuned.
"""

from pathlib import Path

from experiments.page import script, table_of, write
from tl_jax import fit

PAGE = Path("docs/results/mnist_without_labels.md")
COMMAND = "python -m experiments.mnist_without_labels"


def main() -> None:
    """Run (or resume) and write the page."""
    result = fit(
        "mnist",
        "mnist_m@5000",
        ("simclr", "untrained", "pixels"),
        kind="unsupervised",
        align=("none", "mmd"),
        view="distorted",
        network="cnn(dense=256, dropout=0.0, widths=(16, 32, 64))",
        seeds=2,
        lr=1e-3,
        steps=400,
        batch_size=64,
        run_dir="runs/mnist_without_labels",
    )
    write(PAGE, "MNIST and MNIST-M without labels", COMMAND, f"\n\n{table_of(result)}")


if __name__ == "__main__":
    script(main)
