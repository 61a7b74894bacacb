"""Nine self-supervised methods on handwritten digits and digits over photographs: one network, one budget.

    python -m experiments.self_supervision_on_digits        # a few minutes on two cores; writes the page below

The numbers that came out are in docs/results/self_supervision_on_digits.md: this script wrote
them. 300 steps of 32 + 32, AdamW at 1e-3 falling along a cosine, one seed, every method as its paper has it: at so
few steps it says how fast a method begins, not how far it gets. `simclr(temperature=0.1)` is what
`python -m launch.unsupervised` trains, there for twice as long.
"""

from pathlib import Path

from tl_jax import fit
from tl_jax.core.errors import UserError

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
    if not result.complete:
        raise SystemExit(130)
    table = (result.run_dir / "table.md").read_text()
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(f"# Self-supervised methods on digits\n\nWritten by `{COMMAND}`.\n\n{table}")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"tl_jax: {error}") from None
