"""The flags of a sweep's line, besides those of its kind of transfer."""

from typing import Any

from absl import flags

from tl_jax.core.errors import UserError
from tl_jax.launch.flags import FLAGS
from tl_jax.sweep.asked import spec
from tl_jax.sweep.asked.rungs import Halving, halving_of
from tl_jax.sweep.asked.space import SETS, Asked

PLACES = ("local", "slurm")


def of_a_line() -> None:
    """Define them."""
    several, string, whole = flags.DEFINE_multi_string, flags.DEFINE_string, flags.DEFINE_integer
    several("over", [], "Repeatable. name=value, value, ...: crossed with all others.")
    several("together", [], "Repeatable. 'name, name = (value, value), (value, value)': values that go together.")
    several("only", [], "Repeatable. 'dann: lam=0.1, 1': values of a name for one method (network, ...) alone.")
    string("spec", "", "A Python file whose plan() gives the points, each a dictionary of names and values.")
    string("pairs", "", f"All ordered pairs of these domains: {', '.join(SETS)}, or domains in quotes.")
    string("leave_out", "", "Each of these domains in turn is the target of all the others; as in --pairs.")
    whole("draws", 0, "How many times random values are drawn.")
    whole("draw_seed", 0, "Of the random values.")
    whole("halve", 0, "With --rungs: the best of so many settings goes on from each rung, by the label-free criterion.")
    string("rungs", "", "With --halve: the steps at which settings are compared, as in 100,300.")
    whole("most", 0, "Trials of one run at most; 0 is as many as fit one program.")
    whole("processes", 0, "Runs at once on a CPU; 0 is two where there are two cores. GPUs have one each.")
    flags.DEFINE_enum("on", "local", PLACES, "Where: on this machine, or by jobs of SLURM's.")
    several("slurm", [], "Repeatable. A long flag of sbatch without its dashes, as in partition=gpu or time=4:00:00.")
    whole("parallel", 0, "With --on=slurm: tasks at once at most; 0 is as many as there is room for.")
    whole("per_job", 1, "With --on=slurm: runs of a task, one after the other.")


def asked() -> Asked:
    """What is swept, as texts."""
    return Asked(FLAGS.over, FLAGS.together, FLAGS.only, FLAGS.pairs, FLAGS.leave_out, FLAGS.draws, FLAGS.draw_seed)


def said() -> list[Any]:
    """What the line says of which runs there are, as plain JSON: where it is the same, so are they."""
    return [asked()._asdict(), FLAGS.most, spec.said(FLAGS.spec), halving()]


def halving() -> Halving | None:
    """Where the worse settings are dropped, if anywhere."""
    found = halving_of(FLAGS.halve, FLAGS.rungs)
    if found and FLAGS.most:
        raise UserError("--halve has one setting in each run: leave out --most.")
    return found
