"""Settings that say nothing to some of the jobs of a run: it is said which; what says nothing to any is a mistake."""

from collections.abc import Sequence

from tl_jax.core.errors import UserError
from tl_jax.run.plan.rules import undecided
from tl_jax.run.plan.types import Task
from tl_jax.run.settings.config import Config
from tl_jax.training.predict import averages


def without_effect(config: Config, tasks: Sequence[Task]) -> list[str]:
    """A line for every setting and job that it says nothing to. Raises UserError where that is every job."""
    return [*undecided(config, tasks), *_nothing_new(config, tasks), *_not_averaged(config, tasks)]


def _all(tasks: Sequence[Task]) -> list[Task]:
    """The tasks, and those of the hidden jobs that they begin from."""
    return [one for task in tasks for one in (task.start, task) if one]


def _nothing_new(config: Config, tasks: Sequence[Task]) -> list[str]:
    if config.lr_new == 1:
        return []
    if not any(one.new for one in _all(tasks)):
        why = "all that is trained comes with the weights"
        if all(one.new is None for one in _all(tasks)):
            why = (
                "no job begins from weights (--init_from, or a model of the source), so all is new. Raise --lr instead"
            )
        raise UserError(f"--lr_new={config.lr_new:g} changes nothing: {why}.")
    why = lambda task: "begins at random" if task.new is None else "begins with weights of all"
    return [f"{task.job.name}: {why(task)}, so --lr_new says nothing there." for task in tasks if not task.new]


def _not_averaged(config: Config, tasks: Sequence[Task]) -> list[str]:
    if not config.ema:
        return []
    why = "predicts by what it remembers of the weights in training"
    if not any(averages(one.job.method) for one in _all(tasks)):
        named = ", ".join(task.job.name for task in tasks)
        raise UserError(f"--ema={config.ema:g} changes nothing: {named} {why}, or trains nothing. Leave it out.")
    idle = [task.job for task in tasks if task.job.method.trained and not averages(task.job.method)]
    return [f"{job.name}: {why}, so --ema says nothing there." for job in idle]
