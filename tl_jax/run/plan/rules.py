"""What a user's freezing rules come to in the jobs of a run."""

from collections.abc import Sequence

from tl_jax.core.errors import UserError
from tl_jax.run.plan.types import Task
from tl_jax.run.settings.config import Config
from tl_jax.training.freezing import Rule, decided, matches, no_match


def undecided(config: Config, tasks: Sequence[Task]) -> list[str]:
    """A line for every rule of the user's and job in which others decide about all that it matches.

    Raises UserError for a rule that matches nothing in any job, or decides about nothing in any.
    """
    said = []
    for rule in config.freeze:
        matched = [task for task in tasks if matches(rule, _movable(task))]
        if not matched:
            raise UserError(no_match(rule[0], list(dict.fromkeys(path for task in tasks for path in _movable(task)))))
        lines = []
        for task in matched:
            by = decided(task.rules, _movable(task))
            before = {by[path] for path in by if matches(rule, [path])}
            if rule not in before:
                named = ", ".join(
                    f"'{pattern}={action}'" + (" of the method" if (pattern, action) in task.job.method.freeze else "")
                    for pattern, action in sorted(before)
                )
                lines.append(
                    f"{task.job.name}: --freeze='{rule[0]}={rule[1]}' decides about no parameter: {named} first."
                )
        if len(lines) == len(matched):
            raise UserError(f"{lines[0]} The first rule that matches a parameter decides: leave this one out.")
        said += lines
    return said


def faster(task: Task) -> tuple[Rule, ...]:
    """The rules that --lr_new stands for: behind all others, one a group of parameters that is new as a whole."""
    if task.config.lr_new == 1 or not task.new:
        return ()
    old = {_group(path) for path in task.shapes.keys() - set(task.new)}
    patterns = [path if _group(path) in old else f"{_group(path)}/*" for path in task.new]
    return tuple((pattern, f"{task.config.lr_new:g}") for pattern in dict.fromkeys(patterns))


def _group(path: str) -> str:
    """What is named as one: "head", "bottleneck", "backbone", "method/discriminator"."""
    first, *rest = path.split("/")
    return f"{first}/{rest[0]}" if first == "method" and len(rest) > 1 else first


def _movable(task: Task) -> list[str]:
    """The parameters that a rule can be about: of the head alone where features are computed once."""
    return [path for path in task.shapes if path.startswith("head/") or not task.job.strategy.cached]
