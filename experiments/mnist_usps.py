"""MNIST to USPS and back at 28 px, by two splits of USPS.

    TL_JAX_DATA=DIR python -m experiments.mnist_usps            # about an hour on two cores; writes the page below
    TL_JAX_DATA=DIR python -m experiments.mnist_usps 1/4        # every fourth run; without an argument what is left

DIR holds the folders mnist and usps. Network `lenet`, 2000 steps of 64 + 64, AdamW at 3e-3 along a cosine, every plain
pass shifted by up to an eighth of the side (SHOT's protocol crops and turns USPS); `shot` begins from a source model of
2000 steps. Two seeds (on an accelerator raise SEEDS), nothing tuned per method. 7291: the set's own 7291 / 2007 split;
7438: all 9298 shuffled into 7438 / 1860, as CoGAN and SHOT have it, by a draw of our own.
"""

from experiments.page import script
from experiments.parts import Transfer, done, page

SEEDS = 2
SETTINGS = {
    "seeds": SEEDS,
    "network": "lenet",
    "steps": 2000,
    "augment": "weak",
    "keep": "records",
    "pictures": False,
}
METHODS = ("source_only", "target_only", "mcc", "shot", "dann", "cdan(entropy=True)")
TRANSFERS = [
    transfer
    for split in ("7438", "7291")
    for transfer in (
        Transfer(f"MNIST to USPS@{split}", ["mnist"], f"usps@{split}?size=28", SETTINGS),
        Transfer(f"USPS@{split} to MNIST", [f"usps@{split}?size=28"], "mnist", SETTINGS),
    )
]
COMMAND = "TL_JAX_DATA=DIR python -m experiments.mnist_usps"
ABOUT = f"""

Accuracy on the target's test split, mean ± sample standard deviation over {SEEDS} seeds. Published, by the last
iterate on the 7438 / 1860 split: SHOT .979 to USPS and .980 to MNIST (source alone .797 and .880); by the best epoch on
the target's test split, on 7291 / 2007: MCC .951 and .946, CDAN .960 and .977 (TLLib). `target_only` is the bound."""


def main() -> None:
    """Run (or resume) and write the page."""
    records = done("mnist_usps", TRANSFERS, METHODS)
    page("mnist_usps", "MNIST and USPS at 28 px", COMMAND, ABOUT, records, mean=False)


if __name__ == "__main__":
    script(main)
