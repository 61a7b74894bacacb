"""What a trained model says of examples: a row each with class, probability and entropy, or value.

    tl-jax predict runs/transductive-... folder:/data/new --job=mcc --out=new.csv
    tl-jax predict RUN /data/new --job=mcc --seed=1 --values=lam=0.3 --probabilities --out=new.parquet
    tl-jax predict RUN new.npz --job=mcc --features=embedded.npz
    tl-jax predict RUN digits:photo --job=mcc > photo.csv
    tl-jax predict runs/multitask-... new.npz --job=pcgrad --out=new.csv
    tl-jax predict RUN digits:handwritten digits:parity --job=pcgrad

The examples need no labels; where some are known their scores, each class's and the confusion matrix are printed. A
path is read as the run's target was. The data of the run must be where they were: scale and classes are theirs. A model
of several tasks has columns of each, or of --task alone. A spec has labels of one task; several specs with the same
examples have those of several. A model at test time predicts them in their order, a batch before it learns from it.
"""

import sys
from pathlib import Path

from absl import flags

from tl_jax.core.errors import UserError
from tl_jax.core.files import write_atomically
from tl_jax.core.printable import printable
from tl_jax.launch.flags import FLAGS, execution
from tl_jax.programs.trained.opened import NO_DOMAINS, open_model
from tl_jax.programs.trained.predict import embeddings, predict, scores, written
from tl_jax.programs.trained.rows import ending
from tl_jax.run.plan.devices import PLATFORMS
from tl_jax.run.plan.devices import setup as setup_devices
from tl_jax.run.settings.forms import SWEEP
from tl_jax.run.store.rundir import packed
from tl_jax.run.wanted import Wanted

WORDS = True
flags.DEFINE_string("job", "", "Which method or strategy of the run, as in its table; needed if there are several.")
flags.DEFINE_integer("seed", None, "Which seed; the first if it is not given.")
flags.DEFINE_multi_string("values", [], "Repeatable. The swept value of the trial, as in lam=0.3.")
flags.DEFINE_integer("trial", None, "Or which trial, in the order of results.json.")
flags.DEFINE_string("select", "last", "The model of the last step, or of the step that was selected.")
flags.DEFINE_string("task", "", "Which of several tasks is asked; all if it is not given.")
flags.DEFINE_string("domain", "target", "As which domain examples are taken: target, or source0, ... of the run.")
flags.DEFINE_string("out", "", "File of the rows, .csv or .parquet. By default CSV is printed.")
flags.DEFINE_bool("probabilities", False, "Write the probability of every class, too.")
flags.DEFINE_string("features", "", "File (.npz) for what goes into the head: features [n, d].")
execution("data_dir")
flags.DEFINE_enum("platform", "auto", PLATFORMS, "Where to compute.")


def main(*words: str) -> None:
    """A run directory and a spec or path; or several, with labels of several tasks."""
    if len(words) < 2:
        raise UserError("Name a run directory and a spec or path: tl-jax predict runs/mine folder:/data/new.")
    ending(FLAGS.out)
    if FLAGS.features and not FLAGS.features.endswith(".npz"):
        raise UserError(f"--features={FLAGS.features}: a file that ends in .npz is needed.")
    setup_devices(FLAGS.platform)
    model = open_model(Path(words[0]), _wanted(), NO_DOMAINS, FLAGS.data_dir)
    found = predict(model, *words[1:], domain=FLAGS.domain, data_dir=FLAGS.data_dir)
    content = written(found, FLAGS.out, FLAGS.probabilities)
    lines = [
        f"{model.described}, step {model.step}: {len(found.names)} examples of {' + '.join(words[1:])}",
        *found.notes,
    ]
    lines += scores(found)
    if FLAGS.features:
        write_atomically(Path(FLAGS.features), packed(embeddings(found)))
        lines.append(f"features: {FLAGS.features}")
    if FLAGS.out:
        write_atomically(Path(FLAGS.out), content)
        lines.append(f"predictions: {FLAGS.out}")
    # Rows alone go to the standard output, so that they can be piped; what is said of them then to the other.
    print("\n".join(printable(line, lines=False) for line in lines), file=sys.stdout if FLAGS.out else sys.stderr)
    if not FLAGS.out:
        print(content.decode(), end="")


def _wanted() -> Wanted:
    """The model that the flags name. Raises UserError for values that are none."""
    given = SWEEP.read("values", FLAGS.values)
    if several := [name for name, values in given if len(values) != 1]:
        raise UserError(f"--values={several[0]}: one value, as in --values={several[0]}=0.3.")
    values = {name: one for name, (one,) in given}
    return Wanted(FLAGS.job, FLAGS.seed, values, FLAGS.trial, FLAGS.select, FLAGS.task)
