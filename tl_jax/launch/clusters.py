"""What `tl-jax sweep` hands to a cluster: the flags of the one that --on names, and the runs."""

from collections.abc import Sequence

from absl import flags

from tl_jax.core.errors import UserError
from tl_jax.sweep.clusters import data, kubernetes, skypilot, slurm
from tl_jax.sweep.clusters.manifest import yaml
from tl_jax.sweep.clusters.tasks import TASKS, Asked
from tl_jax.sweep.directory import Plan, SweepDirectory

FLAGS = flags.FLAGS
PLACES = ("local", "slurm", "kubernetes", "skypilot")
"""What --on may name; the others have a flag of their own name each, of 'name=value'."""
HELP = {
    "slurm": "Repeatable. A long flag of sbatch without its dashes, as in partition=gpu or time=4:00:00.",
    "kubernetes": f"Repeatable. name=value of {', '.join(kubernetes.KNOWN)}.",
    "skypilot": f"Repeatable. name=value of {', '.join(skypilot.KNOWN)}.",
}


def define() -> None:
    """The flags that say where the runs are done."""
    flags.DEFINE_enum("on", "local", PLACES, "Where: here, by jobs of SLURM's, or a manifest for one of the others.")
    for place, text in HELP.items():
        flags.DEFINE_multi_string(place, [], text)
    flags.DEFINE_integer("parallel", 0, "On a cluster: tasks at once at most; 0 is as many as there is room for.")
    flags.DEFINE_integer("per_job", 1, "On a cluster: runs of a task, one after the other.")
    flags.DEFINE_integer(
        "hosts",
        1,
        "With --on=slurm and kubernetes: processes of a task, as on several hosts, that do each run together.",
    )


def asked() -> Asked:
    """What is asked of the cluster. Raises UserError for a flag that goes with another place."""
    for place in HELP:
        if FLAGS[place].value and place != FLAGS.on:
            raise UserError(f"--{place} goes with --on={place}, not with --on={FLAGS.on}.")
    if FLAGS.per_job < 1 or FLAGS.parallel < 0 or FLAGS.hosts < 1:
        raise UserError(
            f"--per_job={FLAGS.per_job}, --parallel={FLAGS.parallel}, --hosts={FLAGS.hosts}: at least 1, 0, 1."
        )
    flags_of = FLAGS[FLAGS.on].value or [] if FLAGS.on in HELP else []
    found = Asked(flags_of, FLAGS.parallel, FLAGS.per_job, FLAGS.hosts)
    if FLAGS.on == "local" and found != Asked([]):
        raise UserError(f"--parallel, --per_job and --hosts go with --on={', '.join(HELP)}.")
    if FLAGS.on == "skypilot" and found.hosts > 1:
        raise UserError("--hosts goes with --on=slurm or --on=kubernetes.")
    return found


def shown(sweep: SweepDirectory, plan: Plan, asked: Asked) -> str:
    """What would be handed over, as if for all runs. Raises UserError for what the cluster's flags cannot say."""
    place, tasks = sweep.root.resolve() / FLAGS.on / "1", -(-len(plan.runs) // asked.per_job)
    if FLAGS.on == "kubernetes":
        return kubernetes.text(sweep, place, tasks, asked)
    if FLAGS.on == "skypilot":
        return yaml(skypilot.task(sweep, place, plan, tasks, asked))
    return slurm.script(sweep, place / TASKS, 0, asked) if FLAGS.on == "slurm" else ""


def handed(sweep: SweepDirectory, plan: Plan, names: Sequence[str], asked: Asked) -> str:
    """Hand the runs to the cluster, or write the manifest that does; what was done, in words."""
    if FLAGS.on == "slurm":
        lines = slurm.submit(sweep, names, asked, data.sets(plan))
    else:
        lines = (kubernetes if FLAGS.on == "kubernetes" else skypilot).write(sweep, plan, names, asked)
    return "\n".join(lines or ["Nothing to submit."])
