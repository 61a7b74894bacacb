"""The default network and forward plan for images, chosen on pairs that are not the demo's.

    python -m experiments.default_images        # about 15 minutes on two free cores; writes the page below

The demo and its table adapt from printed to handwritten digits. What they use by default is therefore chosen
elsewhere: on two other pairs of the embedded domains, by the mean accuracy over pairs and methods at the last step.
What came out is in docs/results/default_images.md: this script wrote it.
"""

import statistics
from pathlib import Path

from experiments.page import finished, script, write
from tl_jax import fit
from tl_jax.run.report.table import Table, mean_std

PAIRS = (("digits:handwritten", "digits:photo"), ("digits:photo", "digits:printed"))
METHODS = ("source_only", "adabn", "dann", "mcc", "shot")
CHOICES = (
    ("cnn", "per_domain"),
    ("cnn", "joint"),
    ("cnn(dense=128, widths=(16, 32))", "per_domain"),
    ("cnn(dense=256, widths=(32, 64))", "per_domain"),
)
"""The default network under two plans, and two other sizes under the default plan."""
SEEDS = 2
PAGE = Path("docs/results/default_images.md")
COMMAND = "python -m experiments.default_images"


def scores(network: str, plan: str) -> list[list[float]]:
    """Accuracy on the target's test split at the last step: a list of seeds for every pair and method."""
    found = []
    for source, target in PAIRS:
        where = f"runs/default_images/{source}-{target}-{network}-{plan}".replace(":", "_")
        result = finished(
            fit(source, target, METHODS, seeds=SEEDS, network=network, forward_plan=plan, run_dir=where, quiet=True)
        )
        for method in METHODS:
            mine = [record for record in result.records if record["method"] == method]
            found.append([record["selectors"]["last"]["target/accuracy"] for record in mine])
    return found


def main() -> None:
    """Run (or resume) and write the page."""
    titles = [f"{target.partition(':')[2]}: {method}" for _, target in PAIRS for method in METHODS]
    rows = {choice: scores(*choice) for choice in CHOICES}
    means = {choice: statistics.mean(v for cell in row for v in cell) for choice, row in rows.items()}
    best = max(means, key=lambda choice: means[choice])
    cells = [["network", "plan", *titles, "mean"]]
    cells += [[*choice, *map(mean_std, row), f"{means[choice]:.3f}"] for choice, row in rows.items()]
    pairs = " and ".join(f"{source} -> {target}" for source, target in PAIRS)
    note = (
        f"{pairs}; accuracy on the target's test split at step 600, mean ± sample standard deviation over {SEEDS} "
        f"seeds. Greatest mean: {best[0]} under {best[1]}, {means[best]:.3f}; the default, cnn under per_domain, has "
        f"{means[CHOICES[0]]:.3f}."
    )
    write(PAGE, "The default network and plan for images", COMMAND, f"\n\n{Table(cells, note).markdown()}")


if __name__ == "__main__":
    script(main)
