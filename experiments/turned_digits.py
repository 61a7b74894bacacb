"""By how much a digit is turned, from printed to handwritten: ten methods of regression, one network, one budget.

    python -m experiments.turned_digits        # about 10 minutes on two free cores; writes the page below

The numbers that came out, with their spread, are in docs/results/turned_digits.md: this script wrote them. Labels are
angles from -45 to 45 degrees; the printed digits already lean by up to 10 degrees of their own, and people's hands lean
as they do, so no method can be exact. Every setting is the default of `python -m launch.transductive`; five seeds,
nothing tuned.
"""

from pathlib import Path

from experiments.page import script, table_of, write
from tl_jax import fit
from tl_jax.methods import ADAPTATION

METHODS = tuple(name for name, make in ADAPTATION.items() if make().regression)
PAGE = Path("docs/results/turned_digits.md")
COMMAND = "python -m experiments.turned_digits"
ABOUT = """ Angles are in degrees, counterclockwise, uniform in [-45, 45]: a label
that tells nothing apart has an RMSE of 26 and an R2 of 0."""


def main() -> None:
    """Run (or resume) and write the page."""
    result = fit(
        "digits:printed_angle",
        "digits:handwritten_angle",
        METHODS,
        seeds=5,
        run_dir="runs/turned_digits",
    )
    write(PAGE, "By how much a digit is turned, printed to handwritten", COMMAND, f"{ABOUT}\n\n{table_of(result)}")


if __name__ == "__main__":
    script(main)
