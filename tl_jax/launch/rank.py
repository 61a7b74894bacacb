"""Choose the pretrained model: transferability scores of several files of weights on one labelled target.

    tl-jax rank --target=folder:/data/shop --network=resnet18 --init_from=A --init_from=B
    tl-jax rank --target=digits:parity --network=cnn --network='cnn(dense=0)' --init_from=A --init_from=B \\
        --labels_per_class=10 --prior=0.7,0.6 --truth=0.91,0.88

Scores: LogME, H-score, GBC, TransRate, kNN from the features; LEEP and NCE from the source head's probabilities; the
static baseline from --prior. With --truth also what choosing by each score would have cost. Writes nothing.
"""

from absl import flags

from tl_jax.core.errors import UserError
from tl_jax.data.load import load
from tl_jax.launch.flags import FLAGS, SPECS, execution
from tl_jax.models.networks import NETWORKS
from tl_jax.programs.rank import Candidate, labelled, score_all, table
from tl_jax.run.plan.devices import setup as setup_devices
from tl_jax.run.plan.networks import resolved
from tl_jax.run.settings.config import Config

flags.DEFINE_string("target", "digits:handwritten", f"Labelled domain: {SPECS}.")
flags.DEFINE_multi_string("init_from", [], "Repeatable. A candidate's weights: .safetensors, .npz, folder or hub name.")
flags.DEFINE_multi_string("network", ["auto"], f"One for all candidates, or one each: auto, {', '.join(NETWORKS)}.")
flags.DEFINE_integer("labels_per_class", 0, "Examples of each class that the scores see; 0 is the training split.")
flags.DEFINE_list("prior", [], "One number a candidate, higher is better: its accuracy on its source, for instance.")
flags.DEFINE_list("truth", [], "One number a candidate: its accuracy after transfer, to measure the scores by.")
flags.DEFINE_integer("resamples", 200, "Half-samples behind an interval.")
flags.DEFINE_integer("seed", 0, "Of the examples and the half-samples.")
execution("data_dir")


def numbers(name: str, count: int) -> list[float | None]:
    """The values of a flag that takes one a candidate, or None for each."""
    texts = getattr(FLAGS, name)
    try:
        values: list[float | None] = [float(text) for text in texts]
    except ValueError:
        raise UserError(f"--{name}={','.join(texts)}: give numbers, as in 0.7,0.6.") from None
    if values and len(values) != count:
        raise UserError(f"--{name} has {len(values)} numbers for {count} --init_from: give one each.")
    return values or [None] * count


def main() -> None:
    """Flags to a table."""
    setup_devices("auto", 1)
    paths, networks = FLAGS.init_from, FLAGS.network
    if len(networks) not in (1, len(paths)):
        raise UserError(f"{len(networks)} --network for {len(paths)} --init_from: give one for all, or one each.")
    networks = networks * len(paths) if len(networks) == 1 else networks
    prior, truth = (numbers(name, len(paths)) for name in ("prior", "truth"))
    target = load(FLAGS.target, FLAGS.data_dir)
    networks = [resolved(Config(network=network), [target]).network for network in networks]
    seen = labelled(target, FLAGS.labels_per_class, FLAGS.seed)
    if target.unknown:
        print(f"{target.name}: {target.unknown} examples have no label and are left out.")
    candidates = [Candidate(*each) for each in zip(networks, paths, prior, truth, strict=True)]
    print(table(score_all(candidates, seen, FLAGS.resamples, FLAGS.seed), seen, FLAGS.target).text())
