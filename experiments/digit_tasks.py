"""Four tasks on digits: identity, parity and stroke mass of handwritten ones, identity of printed ones.

    python -m experiments.digit_tasks        # 2.5 minutes of processor time; writes the page below

The run is that of `python -m launch.multitask` with more strategies. Nothing was tuned for any of them.
"""

from pathlib import Path

from tl_jax import fit_tasks
from tl_jax.core.errors import UserError

STRATEGIES = ("single", "equal", "uncertainty", "gls", "famo", "mgda", "pcgrad", "cagrad", "nash_mtl", "upgrad")
PAGE = Path("docs/results/digit_tasks.md")
COMMAND = "python -m experiments.digit_tasks"


def main() -> None:
    """Run (or resume) and write the page."""
    result = fit_tasks(strategies=STRATEGIES, run_dir="runs/digit_tasks")
    if not result.complete:
        raise SystemExit(130)
    table = (result.run_dir / "table.md").read_text()
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(f"# Four tasks on digits\n\nWritten by `{COMMAND}`.\n\n{table}")


if __name__ == "__main__":
    try:
        main()
    except UserError as error:
        raise SystemExit(f"tl_jax: {error}") from None
