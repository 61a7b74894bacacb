"""Nine self-supervised methods on handwritten digits and digits over photographs: one network, one budget.

    python -m experiments.self_supervision_on_digits        # a few minutes on two cores; writes the page below

The numbers that came out are in docs/results/self_supervision_on_digits.md: this script wrote
them. 300 steps of 32 + 32, AdamW at 1e-3 falling along a cosine, one seed, every method as its paper has it: at so
few steps it says how fast a method begins, not how far it gets. `simclr(temperature=0.1)` is what
`python -m launch.unsupervised` trains, there for twice as long.
"""

from pathlib import Path

from experiments.page import script, table_of, write
from tl_jax import fit

METHODS = (
    "simclr",
    "simclr(temperature=0.1)",
    "moco",
    "byol",
    "simsiam",
    "barlow_twins",
    "vicreg",
    "dino",
    "rotation",
    "mae",
    "untrained",
    "pixels",
)
PAGE = Path("docs/results/self_supervision_on_digits.md")
COMMAND = "python -m experiments.self_supervision_on_digits"


def main() -> None:
    """Run (or resume) and write the page."""
    result = fit(
        "digits:handwritten",
        "digits:photo",
        METHODS,
        kind="unsupervised",
        view="distorted",
        network="cnn(dense=256, dropout=0.0, widths=(16, 32, 64), bottleneck=0)",
        seeds=1,
        lr=1e-3,
        steps=300,
        batch_size=32,
        run_dir="runs/self_supervision_on_digits",
    )
    write(PAGE, "Self-supervised methods on digits", COMMAND, f"\n\n{table_of(result)}")


if __name__ == "__main__":
    script(main)
