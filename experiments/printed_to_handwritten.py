"""Printed to handwritten digits: fourteen methods, one network, one budget.

    python -m experiments.printed_to_handwritten        # about 10 minutes on two free cores; writes the page below

The numbers that came out, with their spread, are in docs/results/printed_to_handwritten.md: this script wrote
them. Every setting is the default of `python -m launch.transductive`: network `cnn`, 600 steps of 64 + 64, AdamW at
3e-3 falling along a cosine, forward plan `per_domain`; five seeds, nothing tuned per method.
"""

from pathlib import Path

from experiments.page import script, table_of, write
from tl_jax import fit

METHODS = (
    "source_only",
    "adabn",
    "dan",
    "deep_coral",
    "dsan",
    "dann",
    "cdan(entropy=True)",
    "mcd",
    "mcc",
    "fixmatch",
    "adamatch",
    "mean_teacher",
    "shot",
    "target_only",
)
PAGE = Path("docs/results/printed_to_handwritten.md")
COMMAND = "python -m experiments.printed_to_handwritten"


def main() -> None:
    """Run (or resume) and write the page."""
    result = fit(
        "digits:printed",
        "digits:handwritten",
        METHODS,
        seeds=5,
        run_dir="runs/printed_to_handwritten",
    )
    write(PAGE, "Printed to handwritten digits", COMMAND, f"\n\n{table_of(result)}")


if __name__ == "__main__":
    script(main)
