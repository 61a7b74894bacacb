"""Multi-task transfer: several tasks on one input, or several inputs each with its own task, through one trunk.

    python -m launch.multitask
    python -m launch.multitask --strategy=single --strategy=equal --strategy='cagrad(c=0.2)' --seeds=5
    python -m launch.multitask --task=digits:handwritten --task=digits:printed --sharing='mmoe(experts=3)'

A task is a labelled domain: classes, two classes or values. Domains with the same examples are one input with several
heads; the others are inputs of their own. Without flags: identity, parity and stroke mass of handwritten digits and
the identity of printed ones, in about 65 seconds of processor time. Ends with a table against single-task training and
two pictures.
"""

import dataclasses

from absl import flags

from launch.command import launch
from launch.flags import FLAGS, SPECS, config_fields, define, train
from tl_jax.balancing.table import STRATEGIES
from tl_jax.kinds.multitask.kind import DEFAULTS
from tl_jax.models.sharing import SHARING
from tl_jax.run.plan.devices import setup as setup_devices

flags.DEFINE_multi_string("task", list(DEFAULTS.source), f"Repeatable. Labelled domain: {SPECS}.")
flags.DEFINE_multi_string(
    "strategy",
    list(DEFAULTS.strategies),
    f"Repeatable. How tasks are weighed, as in 'cagrad(c=0.2)'; single is every task alone: "
    f"single, {', '.join(STRATEGIES)}.",
)
flags.DEFINE_string("sharing", DEFAULTS.sharing, f"What tasks share, as in 'mmoe(experts=3)': {', '.join(SHARING)}.")
WITHOUT = ("init_from", "allow_mismatch", "method", "lam", "lam_schedule", "labels_per_class", "label_fraction")
define(DEFAULTS, (*WITHOUT, "label_space", "balanced", "select"))


def main() -> None:
    """Flags to config to run."""
    setup_devices(FLAGS.platform, FLAGS.devices)
    given = {"source": tuple(FLAGS.task), "strategies": tuple(FLAGS.strategy), "sharing": FLAGS.sharing}
    train(dataclasses.replace(DEFAULTS, **given, **config_fields()))


if __name__ == "__main__":
    launch(main, __doc__)
