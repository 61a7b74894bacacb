"""New classes from a few examples: N-way K-shot episodes on the features of a trunk that learnt other classes.

    python -m launch.few_shot
    python -m launch.few_shot --source=omniglot/background --target=omniglot/evaluation --novel=0 --ways=5,20
    python -m launch.few_shot --init_from=resnet18.safetensors --network=resnet18 --target=folder:/data/shop --novel=0

Without flags: five handwritten digits are learnt, episodes draw from the other five. Ends with the accuracy over
episodes of the nearest class mean, by the trunk's features and by pixels.
"""

import dataclasses

from absl import flags

from launch.command import launch
from launch.flags import FLAGS, SPECS, config_fields, define, options
from tl_jax.core.errors import UserError
from tl_jax.kinds.table import prepare
from tl_jax.programs.few_shot import FEW_SHOT as DEFAULT
from tl_jax.programs.few_shot import Asked, few_shot, plan
from tl_jax.programs.preview import dry_run, parameters
from tl_jax.run.plan.devices import setup as setup_devices

flags.DEFINE_multi_string("source", list(DEFAULT.source), f"Repeatable. Domain to learn the trunk on: {SPECS}.")
flags.DEFINE_string("target", DEFAULT.target, "Domain whose classes episodes draw from.")
flags.DEFINE_integer("novel", 5, "How many classes of the target are new: the sources lose them. 0: all are.")
flags.DEFINE_string("ways", "5", "Classes of an episode; several as in 5,20.")
flags.DEFINE_string("shots", "1,5", "Labelled examples of each; several as in 1,5.")
flags.DEFINE_integer("queries", 15, "Examples of each to be classified.")
flags.DEFINE_integer("episodes", 600, "How many of each kind.")
flags.DEFINE_integer("pretrain_steps", DEFAULT.pretrain_steps, "Steps on the source.")
define(DEFAULT, ("method", "labels_per_class", "label_fraction", "select", "steps", "lam", "lam_schedule"))


def whole(name: str) -> tuple[int, ...]:
    """A flag of whole numbers."""
    try:
        return tuple(int(part) for part in getattr(FLAGS, name).split(","))
    except ValueError:
        raise UserError(f"--{name}={getattr(FLAGS, name)}: give a whole number, or several as in 5,20.") from None


def main() -> None:
    """Flags to a run to episodes."""
    setup_devices(FLAGS.platform, FLAGS.devices)
    source = () if FLAGS.init_from and not FLAGS["source"].present else tuple(FLAGS.source)
    own = {"source": source, "target": FLAGS.target, "pretrain_steps": FLAGS.pretrain_steps}
    asked = Asked(whole("ways"), whole("shots"), FLAGS.queries, FLAGS.episodes)
    planned = plan(dataclasses.replace(DEFAULT, **config_fields() | own), options(), asked, FLAGS.novel)
    if FLAGS.list_params or FLAGS.dry_run:
        print((parameters if FLAGS.list_params else dry_run)(prepare(*planned[:3])))
    elif table := few_shot(planned):
        print(table.text())
    else:
        raise SystemExit(130)


if __name__ == "__main__":
    launch(main, __doc__)
