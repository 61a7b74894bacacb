"""MNIST to MNIST-M with the 5000 training images of its small file.

    TL_JAX_DATA=DIR python -m experiments.mnist_to_mnist_m          # hours on two cores; writes the page below
    TL_JAX_DATA=DIR python -m experiments.mnist_to_mnist_m 1/2      # every second run; without an argument what is left

DIR holds the folders mnist and mnist_m. Network `cnn` at 32 px, 3000 steps of 64 + 64, AdamW at 3e-3 along a cosine.
Two seeds, nothing tuned per method. With an accelerator raise SEEDS and add methods.
"""

from experiments.page import script
from experiments.parts import Transfer, done, page

SEEDS = 2
SETTINGS = {"seeds": SEEDS, "network": "cnn", "steps": 3000, "trials": "vmap", "keep": "records", "pictures": False}
METHODS = (
    "source_only",
    "target_only",
    "dann",
    "mcc",
    "adamatch",
    "cdan(entropy=True)",
)
TRANSFERS = [Transfer("MNIST to MNIST-M", ["mnist"], "mnist_m@5000", SETTINGS)]
COMMAND = "TL_JAX_DATA=DIR python -m experiments.mnist_to_mnist_m"
ABOUT = f"""

Accuracy on the 9001 test images, mean ± sample standard deviation over {SEEDS} seeds. Published with all 59001 training
images: DANN .767, source alone .523 (Ganin et al. 2016). `target_only` is the bound of the 5000 images.

The published figures are missed: DANN by .18, and by the best here by .14. The source model here is far under the
published one, which is another network, trained by SGD on images less their mean; `mcc`, which trusts its guesses,
hardly leaves it. Nothing else was tried: not other networks, learning rates or varied passes (`--augment`), and not
`shot`, `adabn`, `fixmatch`, `mean_teacher`."""


def main() -> None:
    """Run (or resume) and write the page."""
    records = done("mnist_to_mnist_m", TRANSFERS, METHODS)
    page("mnist_to_mnist_m", "MNIST to MNIST-M, 5000 target images", COMMAND, ABOUT, records, mean=False)


if __name__ == "__main__":
    script(main)
