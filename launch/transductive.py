"""Transductive transfer: a labelled source, an unlabelled target.

    python -m launch.transductive
    python -m launch.transductive --source=digits:handwritten --target=digits:photo --method=source_only --method=dann
    python -m launch.transductive --method='cdan(entropy=True)' --sweep=lam=0.1,0.3,1 --seeds=5

Without flags: printed to handwritten digits, embedded, in about two minutes. Ends with a table and pictures in
the run directory. The same line again resumes a run that was stopped, or says that it is complete.
"""

from absl import flags

from launch.command import launch
from launch.flags import DEFAULT, FLAGS, SPECS, config_fields, define, train
from tl_jax.run.plan.config import Config
from tl_jax.run.plan.devices import setup as setup_devices

flags.DEFINE_multi_string("source", list(DEFAULT.source), f"Repeatable. Labelled domain: {SPECS}.")
flags.DEFINE_string("target", DEFAULT.target, "Domain whose training labels no method sees (but target_only).")
define(DEFAULT)


def main() -> None:
    """Flags to config to run."""
    setup_devices(FLAGS.platform, FLAGS.devices)
    config = Config(kind="transductive", source=tuple(FLAGS.source), target=FLAGS.target, **config_fields())
    train(config)


if __name__ == "__main__":
    launch(main, __doc__)
