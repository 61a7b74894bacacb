"""Corrupted handwriting as a stream: every method of test time, from one source model a seed.

    python -m experiments.test_time        # some five minutes of processor time; writes the page below

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
STREAMS = {
    "episodic": "Put back at each corruption, classes in random order, 64 examples at a time",
    "continual(batch=16, concentration=0.1)": "Never put back, classes in runs, 16 examples at a time",
}
PAGE = Path("docs/results/test_time.md")
COMMAND = "python -m experiments.test_time"
ABOUT = """ Error on the test split of the embedded handwriting under each corruption, by what was said of an example
when it came; nothing is chosen and nothing tuned. The time a sample is wall-clock of a machine that others used,
too: compare its columns, not its size."""


def main() -> None:
    """Run (or resume) and write the page."""
    parts = []
    for i, (stream, about) in enumerate(STREAMS.items()):
        asked = {"kind": "test_time", "seeds": SEEDS, "stream": stream, "corrupt": DEFAULTS.corrupt}
        result = fit(DEFAULTS.source, DEFAULTS.target, tuple(TEST_TIME), run_dir=f"runs/test_time/{i}", **asked)
        parts.append(f"## {about}\n\n`--stream='{stream}'`\n\n{table_of(result)}")
    write(PAGE, "Corrupted handwriting at test time", COMMAND, f"{ABOUT}\n\n{chr(10).join(parts)}")


if __name__ == "__main__":
    script(main)
