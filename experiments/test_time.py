"""Corrupted handwriting as a stream: every method of test time, from one source model a seed.

    python -m experiments.test_time        # some fifteen minutes of processor time; writes the page below

Every setting is the default of `python -m launch.test_time`: network `cnn`, 400 steps of 64 examples, AdamW at 3e-3;
three seeds (of the source model and of the order), nothing tuned per method: learning rates and thresholds are those
of the methods' tables. The corruptions are the fourteen of ImageNet-C that are here, at severity 5.
"""

from pathlib import Path

from experiments.page import script, table_of, write
from tl_jax import fit
from tl_jax.kinds.test_time.kind import DEFAULTS
from tl_jax.methods import TEST_TIME

SEEDS = 3
PAGE = Path("docs/results/test_time.md")
COMMAND = "python -m experiments.test_time"
ABOUT = """ Error on the test split of the embedded handwriting under each corruption, by what was said of an example
when it came; nothing is chosen and nothing tuned. The time a sample is wall-clock of a machine that others used,
too: compare its columns, not its size.

A corruption is seven batches here. `tent`, `eata`, `sar` and `cotta` all normalise by the batch alone and agree within
.001 in the mean: seven steps at the published rates hardly move them, and the page does not tell them apart. `lame` is
made for streams whose classes come in runs; in random order it loses, as here. `rotta` and `note` are made for such
streams, too: their statistics move by a share of a batch a step, and seven steps are few; `memo` begins anew with every
example, and one step at its rate turns hardly any prediction."""


def main() -> None:
    """Run (or resume) and write the page."""
    asked = {"kind": "test_time", "seeds": SEEDS, "stream": DEFAULTS.stream, "corrupt": DEFAULTS.corrupt}
    result = fit(DEFAULTS.source, DEFAULTS.target, tuple(TEST_TIME), run_dir="runs/test_time", **asked)
    write(PAGE, "Corrupted handwriting at test time", COMMAND, f"{ABOUT}\n\n{table_of(result)}")


if __name__ == "__main__":
    script(main)
