"""Twelve pairs of Office-Caltech's SURF features, eight methods, five seeds, and the classics: one line of a sweep.

    python -m experiments.office_caltech        # about 25 minutes of processor time; writes the page below

The features are read as `--source=office_caltech/amazon` reads them (`--data_dir` or TL_JAX_DATA). Every setting but
the number of steps is the default of `python -m launch.transductive`; nothing was tuned. What came out is in
docs/results/office_caltech.md: this script wrote it.
"""

from experiments.page import script
from experiments.pairs import Pairs, run

STEPS = 200
OFFICE_CALTECH = Pairs(
    name="office_caltech",
    title="Office-Caltech, SURF features: twelve pairs",
    methods=("source_only", "dan", "deep_coral", "dann", "bnm", "mcc", "afn", "jan"),
    steps=STEPS,
    about=f"""Bags of 800 visual words, ten classes, four domains: caltech 1123 examples, amazon 958, webcam 295, dslr
157; a fifth of each domain's examples is for test (31 of dslr: a seed's accuracy moves in steps of .03 there), the rest
of the target is trained on without labels. The network is a small MLP that begins at random, {STEPS} steps.""",
    after="""
With every example of both domains, as published tables have it, the classics are at
[what the shortfalls say](../shortfalls.md).
""",
)

if __name__ == "__main__":
    script(lambda: run(OFFICE_CALTECH))
