"""MNIST to MNIST-M with the 5000 training images of its small file: two networks, two views, two learning rates.

    TL_JAX_DATA=DIR python -m experiments.mnist_to_mnist_m          # minutes on an accelerator; a day on two cores
    TL_JAX_DATA=DIR python -m experiments.mnist_to_mnist_m 1/8      # every eighth run; without an argument what is left

DIR holds the folders mnist and mnist_m. 3000 steps of 64 + 64 at 32 px, AdamW along a cosine. Nothing else was tuned:
which network, view and rate a method is shown with is the choice of the runs' own criterion, and all are shown.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from experiments.page import script, write
from experiments.parts import Transfer, chosen, done

NAME = "mnist_to_mnist_m"
SETTINGS = {"steps": 3000, "keep": "records", "pictures": False}
GRID = {**SETTINGS, "sweep": {"lr": [1e-3, 3e-3]}, "seeds": 5, "trials": "vmap"}
CHOSEN = {**SETTINGS, "network": "lenet(norm=False)", "augment": "none", "lr": 3e-3, "seeds": 2}
"""What the criterion chose for `dann` in the grid."""
METHODS = ("source_only", "dann", "target_only")
OTHERS = ("shot", "fixmatch", "mean_teacher", "mcc", "cdan(entropy=True)", "adabn", "adamatch")


def _transfer(name: str, methods: Sequence[str], settings: Mapping[str, Any]) -> Transfer:
    return Transfer(name, ["mnist"], "mnist_m@5000", settings, methods)


TRANSFERS = [
    _transfer("cnn none", METHODS[:2], {**GRID, "network": "cnn"}),
    _transfer("lenet none", METHODS, {**GRID, "network": "lenet(norm=False)"}),
    _transfer("cnn randaugment", METHODS[:2], {**GRID, "network": "cnn", "augment": "randaugment"}),
    _transfer("lenet randaugment", METHODS, {**GRID, "network": "lenet(norm=False)", "augment": "randaugment"}),
    _transfer("chosen", OTHERS, CHOSEN),
    _transfer("chosen twice as long", ("adamatch",), {**CHOSEN, "steps": 6000}),
]
COMMAND = "TL_JAX_DATA=DIR python -m experiments.mnist_to_mnist_m"
ABOUT = """"""


def main() -> None:
    """Run (or resume) and write the page."""
    done(NAME, TRANSFERS, (*METHODS, *OTHERS))
    parts = [
        "## Network, view and rate chosen without labels",
        chosen(NAME, ["pair"], ["network", "augment", "lr"], "last/target/accuracy"),
        "## Every network and view, rates chosen without labels",
        chosen(NAME, ["network", "augment"], ["lr"], "last/target/accuracy"),
        "## Every setting",
        chosen(NAME, ["network", "augment", "lr"], [], "last/target/accuracy"),
    ]
    title = "MNIST to MNIST-M, 5000 target images"
    write(Path(f"docs/results/{NAME}.md"), title, COMMAND, ABOUT + "\n\n" + "\n\n".join(map(str.strip, parts)) + "\n")


if __name__ == "__main__":
    script(main)
