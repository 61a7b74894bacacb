"""Four tasks on digits: identity, parity and stroke mass of handwritten ones, identity of printed ones.

    python -m experiments.digit_tasks        # a few minutes; writes the page below

The run is that of `python -m launch.multitask` with more strategies, every one of which, and every task alone, chooses
its weight decay by the validation splits: the plain sum is regularised with the same care as the others.
"""

from pathlib import Path

from experiments.page import finished, script, write
from experiments.tuned import chosen_table
from tl_jax import fit_tasks

STRATEGIES = ("single", "equal", "uncertainty", "gls", "famo", "mgda", "pcgrad", "cagrad", "nash_mtl", "upgrad")
DECAYS = (0.01, 0.1, 1.0)
PAGE = Path("docs/results/digit_tasks.md")
COMMAND = "python -m experiments.digit_tasks"


def main() -> None:
    """Run (or resume) and write the page."""
    result = fit_tasks(strategies=STRATEGIES, sweep={"weight_decay": DECAYS}, run_dir="runs/digit_tasks")
    table = chosen_table(finished(result).records, "weight_decay", {}).markdown()
    write(PAGE, "Four tasks on digits", COMMAND, f"\n\n{table}")


if __name__ == "__main__":
    script(main)
