"""New classes from a few examples: N-way K-shot episodes on the features of a trunk that learnt other classes.

    tl-jax few_shot
    tl-jax few_shot --source=omniglot/background --target=omniglot/evaluation --novel=0 --ways=5,20
    tl-jax few_shot --init_from=resnet18.safetensors --network=resnet18 --target=folder:/data/shop --novel=0

Without flags: five handwritten digits are learnt, episodes draw from the other five. Ends with the accuracy over
episodes of the nearest class mean, by the trunk's features and by pixels.
"""

import dataclasses

from absl import flags

from tl_jax.core.errors import UserError
from tl_jax.kinds.table import KINDS, prepare
from tl_jax.launch.flags import FLAGS, SPECS, alone, define, options, without
from tl_jax.programs.few_shot import FEW_SHOT, Asked, few_shot, plan
from tl_jax.programs.preview import dry_run, parameters
from tl_jax.run.plan.devices import setup as setup_devices
from tl_jax.run.plan.words import begins_from

WITHOUT = ("methods", "strategies", "labels_per_class", "label_fraction", "select", "steps", "lam", "lam_schedule")
SAYS = {
    "source": f"Repeatable. Domain to learn the trunk on: {SPECS}.",
    "target": "Domain whose classes episodes draw from.",
    "pretrain_steps": "Steps on the source.",
}
flags.DEFINE_integer("novel", 5, "How many classes of the target are new: the sources lose them. 0: all are.")
flags.DEFINE_string("ways", "5", "Classes of an episode; several as in 5,20.")
flags.DEFINE_string("shots", "1,5", "Labelled examples of each; several as in 1,5.")
flags.DEFINE_integer("queries", 15, "Examples of each to be classified.")
flags.DEFINE_integer("episodes", 600, "How many of each kind.")
asked = define(FEW_SHOT, (*without(KINDS["inductive"]), *WITHOUT), SAYS)


def whole(name: str) -> tuple[int, ...]:
    """A flag of whole numbers."""
    try:
        return tuple(int(part) for part in getattr(FLAGS, name).split(","))
    except ValueError:
        raise UserError(f"--{name}={getattr(FLAGS, name)}: give a whole number, or several as in 5,20.") from None


def main() -> None:
    """Flags to a run to episodes."""
    alone()
    setup_devices(FLAGS.platform, FLAGS.devices)
    config = asked()
    if begins_from(config) and not FLAGS["source"].present:
        config = dataclasses.replace(config, source=())
    episodes = Asked(whole("ways"), whole("shots"), FLAGS.queries, FLAGS.episodes)
    planned = plan(config, options(), episodes, FLAGS.novel)
    if FLAGS.list_params or FLAGS.dry_run:
        print((parameters if FLAGS.list_params else dry_run)(prepare(*planned[:3])))
    elif table := few_shot(planned):
        print(table.text())
    else:
        raise SystemExit(130)
