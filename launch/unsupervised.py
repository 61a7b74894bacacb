"""Unsupervised transfer: neither side labelled. Self-supervised pretraining, then kNN, probe, retrieval, clustering.

    python -m launch.unsupervised
    python -m launch.unsupervised --method=vicreg --method=byol --pretrain_on=target --steps=2000
    python -m launch.unsupervised --method='simclr(temperature=0.2)' --align=none --align=coral --sweep=lam=0.1,1

Without flags: handwritten digits and digits over photographs, embedded. Ends with a table, pictures (one of them
queries of the target with what was found for them in the source) and, for every method, the pretrained trunk as
METHOD.safetensors in the run directory. Labels are read by the evaluation alone.
"""

import dataclasses

from absl import flags

from launch.command import launch
from launch.flags import FLAGS, SPECS, config_fields, define, train
from tl_jax.data.views.augment import VIEWS
from tl_jax.kinds.unsupervised.kind import DEFAULTS
from tl_jax.kinds.unsupervised.views import PRETRAIN_ON
from tl_jax.methods.aligned import ALIGNMENTS
from tl_jax.run.plan.devices import setup as setup_devices

flags.DEFINE_multi_string("source", list(DEFAULTS.source), f"Repeatable. Domain of the gallery: {SPECS}.")
flags.DEFINE_string("target", DEFAULTS.target, "Domain of the queries, on whose test split features are judged.")
flags.DEFINE_enum("pretrain_on", DEFAULTS.pretrain_on, PRETRAIN_ON, "Whose training examples are learnt from.")
flags.DEFINE_multi_string(
    "align",
    list(DEFAULTS.align),
    f"Repeatable. What else draws the two domains together, with the trade-off lambda: {', '.join(ALIGNMENTS)}.",
)
flags.DEFINE_string("view", DEFAULTS.view, f"How examples are varied for learning: {', '.join(VIEWS['image'])}.")
define(DEFAULTS, ("labels_per_class", "label_fraction", "balanced", "select"))


def main() -> None:
    """Flags to config to run."""
    setup_devices(FLAGS.platform, FLAGS.devices)
    own = {"source": tuple(FLAGS.source), "target": FLAGS.target}
    own |= {"pretrain_on": FLAGS.pretrain_on, "align": tuple(FLAGS.align), "view": FLAGS.view}
    train(dataclasses.replace(DEFAULTS, **own, **config_fields()))


if __name__ == "__main__":
    launch(main, __doc__)
