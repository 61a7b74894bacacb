"""One page about a run, finished or not: curves, mistakes, calibration, features, and in words what to try.

    tl-jax analyze runs/mine
    tl-jax analyze runs/mine --job=source_only --job=mcc --seed=0 --out=page.html

Writes RUN/analysis.html: one file that needs no network and no script. Nothing is trained; what reads the target's
labels is marked. The data are read again for labels and pictures; without them the labels of up to 300 examples that
the run kept stand in.
"""

from pathlib import Path

from absl import flags

from tl_jax.core.errors import UserError, machine_faults
from tl_jax.core.printable import printable
from tl_jax.launch.flags import FLAGS, execution
from tl_jax.programs.analyze.analyze import analyze
from tl_jax.run.plan.devices import setup as setup_devices

WORDS = True
flags.DEFINE_multi_string("job", [], "Repeatable. Which methods or strategies of the run; by default all, six in full.")
flags.DEFINE_integer("seed", None, "Of this seed alone; by default of all.")
flags.DEFINE_string("out", "", "File of the page; by default RUN/analysis.html.")
execution("data_dir")


def main(*words: str) -> None:
    """A run directory to a page."""
    if len(words) != 1:
        raise UserError("Name one run directory: tl-jax analyze runs/mine.")
    setup_devices("cpu")
    root = Path(words[0])
    with machine_faults(FLAGS.out or root):
        path, said = analyze(
            root, FLAGS.job, seed=FLAGS.seed, out=Path(FLAGS.out) if FLAGS.out else None, data_dir=FLAGS.data_dir
        )
    for one in said:
        print(printable(f"{'+' if one.good else '-'} {one.text}", lines=False))
    print(printable(str(path), lines=False))
