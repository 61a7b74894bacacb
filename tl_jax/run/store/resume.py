"""Where a run and each of its jobs stand: what is there, whole, and what has to be made (again)."""

from tl_jax.core.files import say
from tl_jax.run.plan.types import Setup, Task
from tl_jax.run.store.checkpoints import Checkpoints
from tl_jax.run.store.rundir import FEATURES, RunDirectory
from tl_jax.run.store.stops import Stops


def every_job(setup: Setup) -> list[str]:
    """Names of all jobs, the hidden ones too, in the order in which they run."""
    parts = [part.name for task in setup.tasks for part in (task.job.start, task.job) if part]
    return list(dict.fromkeys(parts))


def inspect(setup: Setup, directory: RunDirectory) -> list[Task]:
    """The tasks that are not finished, or of which something is lost or damaged, which is said."""
    todo, names = [], every_job(setup)
    for name in names:
        if damaged := directory.manifest(name).damaged:
            say(f"{directory.manifest(name).path}: {damaged} damaged lines; what they tell of is made again.")
    for task in setup.tasks:
        name = task.job.name
        lost = directory.lost(name, task.evaluations)
        if lost:
            todo.append(task)
        if lost and FEATURES in directory.manifest(name).files:
            say(f"{name} was finished, but {', '.join(lost[:3])} of it is lost or damaged: made again.")
    if said := directory.mend_metrics(names):
        say(said)
    if directory.show_modes(names):
        say(f"{directory.root / 'execution.json'} was not what the jobs noted: written again.")
    return todo


def standing(directory: RunDirectory, task: Task, checkpoints: Checkpoints, stops: Stops) -> tuple[int, bool]:
    """The step a job goes on from, and whether a stop found it there; what lies beyond it, damaged or cut short by a
    kill, is cleared away.

    A checkpoint is of use only if every evaluation up to it is there: one that is lost is trained for again.
    """
    name, manifest = task.job.name, directory.manifest(task.job.name)
    path = lambda step: directory.record_path(name, step).name
    lost = next((step for step in task.evaluations if manifest.read(path(step)) is None), float("inf"))
    step = checkpoints.last_whole(lost) or 0
    if lost <= (checkpoints.last_step() or 0):
        say(f"{name}: the evaluation of step {lost} is lost or damaged; trained again from step {step}.")
    elif not step and checkpoints.last_step():
        say(f"{name}: no checkpoint is whole; trained again from the beginning.")
    checkpoints.drop_after(step)
    # A stop came after that, before the next evaluation.
    stopped = stops.last(step, min((at for at in task.evaluations if at > step), default=step))
    directory.begin_again(name, stopped or step)
    return stopped or step, stopped is not None
