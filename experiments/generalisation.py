"""Digits turned and coloured: every method of generalisation, each of four domains left out in turn.

    python -m experiments.generalisation        # an hour or more on two cores (estimated); writes the page

Every setting is the default of `python -m launch.generalisation`: network `cnn`, 400 steps of 32 examples of each of
three domains, AdamW at 3e-3; three seeds, nothing tuned per method. Of every split the four domains have the same
images, each turned and coloured in its own way; those of a test split are in no training split. The page,
docs/results/generalisation.md, has not been written yet.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from experiments.page import finished, script, write
from tl_jax import fit
from tl_jax.kinds.generalisation.kind import DOMAINS
from tl_jax.methods import GENERALISATION
from tl_jax.run.execute.divergence import alive

SEEDS = 3
SELECTORS = ("last", "selected", "oracle")
PAGE = Path("docs/results/generalisation.md")
COMMAND = "python -m experiments.generalisation"
ABOUT = f""" Accuracy on the test split of the domain that is left out, mean of {SEEDS}
seeds; then the mean over the domains with the sample standard deviation of that mean over the seeds. `selected`: the
step chosen by the validation splits of the domains trained on; `oracle`: by the target's own, for comparison only."""


def main() -> None:
    """Run (or resume) and write the page."""
    records = {}
    for target in DOMAINS:
        sources = [domain for domain in DOMAINS if domain != target]
        short = target.rpartition("ink=")[2]
        run_dir = f"runs/generalisation/{short}"
        result = fit(
            sources,
            target,
            tuple(GENERALISATION),
            kind="generalisation",
            seeds=SEEDS,
            select="source_val",
            run_dir=run_dir,
        )
        records[target.partition("?")[2]] = finished(result).records
    tables = "\n\n".join(f"## {name}\n\n{table(records, name)}" for name in SELECTORS)
    write(PAGE, "Digits turned and coloured, a domain left out", COMMAND, f"{ABOUT}\n\n{tables}\n")


def table(records: Mapping[str, Sequence[Mapping[str, Any]]], selector: str) -> str:
    """A row a method, a column a domain that was left out and one for their mean, as Markdown.

    A method of which a trial diverged has no mean: how many did is in its place.
    """
    heads = ["method", *records, "mean"]
    lines = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}"]
    for method in dict.fromkeys(record["method"] for of in records.values() for record in of):
        scores = {domain: _scores(of, method, selector) for domain, of in records.items()}
        cells = [f"{np.mean(found):.3f}" if found else "-" for found in scores.values()]
        most = max(len([r for r in of if r["method"] == method]) for of in records.values())
        lost = sum(most - len(found) for found in scores.values())
        by_seed = np.mean(list(scores.values()), 0) if not lost else np.zeros(0)
        spread = f" ± {np.std(by_seed, ddof=1):.3f}" if len(by_seed) > 1 else ""
        cells.append(f"{lost} of {most * len(scores)} trials diverged" if lost else f"{by_seed.mean():.3f}{spread}")
        lines.append(f"| {method} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _scores(records: Sequence[Mapping[str, Any]], method: str, selector: str) -> list[float]:
    """By seed, of the trials that went to their end."""
    mine = sorted((r for r in alive(records) if r["method"] == method), key=lambda r: r["seed"])
    return [record["selectors"][selector]["target/accuracy"] for record in mine]


if __name__ == "__main__":
    script(main)
