"""Inductive transfer: a source task (or weights from a file), a target task with few labels.

    python -m launch.inductive
    python -m launch.inductive --strategy=full --strategy='lora(rank=2)' --labels_per_class=5 --seeds=5
    python -m launch.inductive --init_from=mobilenet_v2.safetensors --network=mobilenet_v2 --target=folder:/data/shop
    python -m launch.inductive --target=digits:parity --strategy=scratch --strategy='last_k(k=1)' --method=l2_sp

Pretrains once on the source, then fine-tunes under every strategy at every number of labels. Without flags:
from printed digits to few handwritten ones, and to another task, their parity. Ends with a table of gains over
training from scratch and a plot in each run directory; several targets are run one after the other, each in a folder of
--run_dir if that is given.
"""

import dataclasses

from absl import flags

from launch.command import launch
from launch.flags import FLAGS, SPECS, config_fields, define, train
from tl_jax.fine_tuning.strategies import STRATEGIES
from tl_jax.kinds.inductive.kind import DEFAULTS
from tl_jax.run.plan.devices import setup as setup_devices
from tl_jax.run.store.names import readable, slug

flags.DEFINE_multi_string("source", list(DEFAULTS.source), f"Repeatable. Domain to pretrain on: {SPECS}.")
flags.DEFINE_multi_string("target", [DEFAULTS.target, "digits:parity"], "Repeatable. Labelled domain to transfer to.")
flags.DEFINE_multi_string(
    "strategy",
    list(DEFAULTS.strategies),
    f"Repeatable. What is trained, as in 'last_k(k=1)': {', '.join(STRATEGIES)}.",
)
flags.DEFINE_integer("pretrain_steps", DEFAULTS.pretrain_steps, "Steps on the source; 0 is as many as --steps.")
define(DEFAULTS)


def main() -> None:
    """Flags to config to run, for every target."""
    setup_devices(FLAGS.platform, FLAGS.devices)
    config = dataclasses.replace(
        DEFAULTS,
        source=() if FLAGS.init_from and not FLAGS["source"].present else tuple(FLAGS.source),
        strategies=tuple(FLAGS.strategy),
        pretrain_steps=FLAGS.pretrain_steps,
        **config_fields(),
    )
    plain = [readable(target) for target in FLAGS.target]
    named = readable if len(set(plain)) == len(plain) else slug
    for target in FLAGS.target:
        train(dataclasses.replace(config, target=target), named(target) if len(FLAGS.target) > 1 else "")


if __name__ == "__main__":
    launch(main, __doc__)
