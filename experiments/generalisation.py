"""Digits turned and coloured: every method of generalisation, each of four domains left out in turn.

    python -m experiments.generalisation        # seventy minutes of processor time; writes the page below

Every setting is the default of `python -m launch.generalisation`: network `cnn`, 400 steps of 32 examples of each of
three domains, AdamW at 3e-3; three seeds, nothing tuned per method. Of every split the four domains have the same
images, each turned and coloured in its own way; those of a test split are in no training split. The page is
docs/results/generalisation.md.
"""

from experiments.page import script
from experiments.parts import Transfer, done, page
from tl_jax.kinds.generalisation.kind import DOMAINS
from tl_jax.methods import GENERALISATION

SEEDS = 3
COMMAND = "python -m experiments.generalisation"
ABOUT = f""" Accuracy on the test split of the domain that is left out, mean of {SEEDS}
seeds; then the mean over the domains with the sample standard deviation of that mean over the seeds. `selected`: the
step chosen by the validation splits of the domains trained on; `oracle`: by the target's own, for comparison only.
With three seeds most rows cannot be told from `erm`: look at the deviations. The steps chosen on the domains
trained on are hardly better than the last; what `oracle` gains over them is what no such choice sees."""
TRANSFERS = [
    Transfer(
        target.partition("?")[2],
        [domain for domain in DOMAINS if domain != target],
        target,
        {"kind": "generalisation", "seeds": SEEDS, "select": "source_val", "keep": "records", "pictures": False},
    )
    for target in DOMAINS
]


def main() -> None:
    """Run (or resume) and write the page."""
    records = done("generalisation", TRANSFERS, tuple(GENERALISATION))
    page("generalisation", "Digits turned and coloured, a domain left out", COMMAND, ABOUT, records, mean=True)


if __name__ == "__main__":
    script(main)
