"""What every label-free criterion would have chosen in a finished run, and its regret: from what is stored.

    tl-jax select runs/mine
    tl-jax select runs/mine --criterion=im --criterion='snd(temperature=0.1)' --criterion='mine.py:f'

A new criterion judges an old run, nothing is trained. Criteria of features need a run that kept them (--select=dev).
"""

from pathlib import Path

from absl import flags

from tl_jax.core.errors import UserError
from tl_jax.launch.flags import FLAGS, execution
from tl_jax.programs.select import select
from tl_jax.run.plan.devices import setup as setup_devices

WORDS = True
flags.DEFINE_multi_string(
    "criterion", [], "Repeatable. A criterion, also with arguments or of your own file; else all that records allow."
)
execution("data_dir")


def main(*words: str) -> None:
    """A run directory to a table."""
    if len(words) != 1:
        raise UserError("Name one run directory: tl-jax select runs/mine.")
    setup_devices("cpu")
    print(select(Path(words[0]), FLAGS.criterion, FLAGS.data_dir).text())
