"""Printed to handwritten digits: methods of adaptation, one network, one budget.

    python -m experiments.printed_to_handwritten        # an hour and a half of processor time; writes the page below
    python -m experiments.printed_to_handwritten 1/2    # every second run; without an argument what is left

The numbers that came out, with their spread, are in docs/results/printed_to_handwritten.md: this script wrote
them. Every setting is the default of `python -m launch.transductive`: network `cnn`, 600 steps of 64 + 64, AdamW at
3e-3 falling along a cosine, forward plan `per_domain`; five seeds, nothing tuned per method.
"""

from experiments.page import script
from experiments.parts import Transfer, done, page
from tl_jax.methods import ADAPTATION

OTHERWISE = {
    "a target whose classes are not all known": ("osbp", "ovanet", "uan"),
    "one whose classes are fewer": ("iwan", "pada", "etn", "ba3us"),
    "other proportions of classes": ("bbse", "mlls"),
    "other proportions of inputs": ("kliep", "ulsif"),
    "several sources": ("m3sda", "mdan", "mfsan"),
    "few labels of the target": ("mme", "cdac"),
    "labels that are values": ("dd", "dare_gram", "rsd"),
}
"""What methods that are not here are made for."""
METHODS = tuple(
    {"cdan": "cdan(entropy=True)"}.get(name, name)
    for name in ADAPTATION
    if not any(name in names for names in OTHERWISE.values())
)
OTHERS = "\n".join(f"- {why}: {', '.join(of)}" for why, of in OTHERWISE.items())
SETTINGS = {"seeds": 5, "trials": "vmap", "keep": "records", "pictures": False}
TRANSFERS = [Transfer("printed to handwritten", ["digits:printed"], "digits:handwritten", SETTINGS)]
COMMAND = "python -m experiments.printed_to_handwritten"
ABOUT = f""" Accuracy on the 447 test images of the handwriting,
mean ± sample standard deviation over five seeds. `last`: at step 600. `selected`: at the step chosen by `im`, which
sees no target label. `oracle`: at the one chosen by the target's validation labels, for comparison only. `source_only`
sees nothing of the target; `target_only` is trained on its labels, and is the bound.

Methods made for something else are not here:

{OTHERS}"""


def main() -> None:
    """Run (or resume) and write the page."""
    records = done("printed_to_handwritten", TRANSFERS, METHODS)
    page("printed_to_handwritten", "Printed to handwritten digits", COMMAND, ABOUT, records, mean=False)


if __name__ == "__main__":
    script(main)
