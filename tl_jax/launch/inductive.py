"""Inductive transfer: a source task (or weights from a file), a target task with few labels.

    tl-jax inductive
    tl-jax inductive --strategy=full --strategy='lora(rank=2)' --labels_per_class=5 --seeds=5
    tl-jax inductive --init_from=mobilenet_v2.safetensors --network=mobilenet_v2 --target=folder:/data/shop
    tl-jax inductive --target=digits:parity --strategy=scratch --strategy='last_k(k=1)' --method=l2_sp

Pretrains once on the source, then fine-tunes under every strategy at every number of labels. Without flags:
from printed digits to few handwritten ones, and to another task, their parity. Ends with a table of gains over
training from scratch and a plot in each run directory; several targets are run one after the other, each in a folder of
--run_dir if that is given.
"""

import dataclasses

from absl import flags

from tl_jax.fine_tuning.strategies import STRATEGIES
from tl_jax.kinds.table import KINDS
from tl_jax.launch.flags import FLAGS, SPECS, define, names, train, without
from tl_jax.run.plan.words import begins_from
from tl_jax.run.store.names import readable, slug

KIND = KINDS["inductive"]
SAYS = {
    "source": f"Repeatable. Domain to pretrain on: {SPECS}.",
    "strategies": f"Repeatable. What is trained, as in 'last_k(k=1)': {names(STRATEGIES)}.",
    "pretrain_steps": "Steps on the source; 0 is as many as --steps.",
}
TARGETS = [KIND.defaults.target, "digits:parity"]
flags.DEFINE_multi_string("target", TARGETS, "Repeatable. Labelled domain to transfer to.")
asked = define(KIND.defaults, (*without(KIND), "target"), SAYS)


def main() -> None:
    """Flags to config to run, for every target."""
    config = asked()
    if begins_from(config) and not FLAGS["source"].present:
        config = dataclasses.replace(config, source=())
    plain = [readable(target) for target in FLAGS.target]
    named = readable if len(set(plain)) == len(plain) else slug
    for target in FLAGS.target:
        train(dataclasses.replace(config, target=target), named(target) if len(FLAGS.target) > 1 else "")
