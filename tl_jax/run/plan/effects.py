"""What settings come to in the jobs of a run: those that say nothing to some job are said, those to none a mistake."""

from collections.abc import Sequence

from tl_jax.core.errors import UserError
from tl_jax.methods.contract import PLAIN
from tl_jax.models.parts.recipe import as_recipe
from tl_jax.models.parts.remat import BLOCK
from tl_jax.run.plan.types import Task
from tl_jax.run.settings.config import Config, network_call
from tl_jax.training.freezing import Rule, decided, matches, no_match
from tl_jax.training.predict import averages


def without_effect(config: Config, tasks: Sequence[Task]) -> list[str]:
    """A line for every setting and job that it says nothing to. Raises UserError where that is every job."""
    return [
        *undecided(config, tasks),
        *_nothing_new(config, tasks),
        *_not_averaged(config, tasks),
        *_no_blocks(config, tasks),
        *_not_augmented(config, tasks),
        *_kept(config, tasks),
        *_no_trade_off(config, tasks),
        *_unsaid_rates(config, tasks),
    ]


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


def _not_augmented(config: Config, tasks: Sequence[Task]) -> list[str]:
    if config.augment == "none":
        return []
    plain = lambda task: any(view.drawn == PLAIN for view in task.job.method.views.values())
    idle = [task.job.name for task in tasks if task.job.method.trained and not plain(task)]
    why = "has no plain pass, or computes the features of each example once"
    if not any(map(plain, _all(tasks))):
        raise UserError(f"--augment={config.augment} changes nothing: {', '.join(idle)} {why}. Leave it out.")
    return [f"{name}: {why}, so --augment says nothing there." for name in idle]


def _no_blocks(config: Config, tasks: Sequence[Task]) -> list[str]:
    blocks = lambda task: any(BLOCK.fullmatch(name) for path in task.shapes for name in path.split("/"))
    if config.remat and not any(map(blocks, tasks)):
        raise UserError(
            f"--remat changes nothing: --network={config.network} has no blocks that could be computed again. Use "
            "--accumulate, or a network of blocks (resnet18, convnext_tiny, vit_tiny, ...)."
        )
    return []


def _not_averaged(config: Config, tasks: Sequence[Task]) -> list[str]:
    if not config.ema:
        return []
    why = "predicts by what it remembers of the weights in training"
    if not any(averages(one.job.method) for one in _all(tasks)):
        named = ", ".join(task.job.name for task in tasks)
        raise UserError(f"--ema={config.ema:g} changes nothing: {named} {why}, or trains nothing. Leave it out.")
    idle = [task.job for task in tasks if task.job.method.trained and not averages(task.job.method)]
    return [f"{job.name}: {why}, so --ema says nothing there." for job in idle]


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


def as_published(task: Task) -> tuple[Rule, ...]:
    """The rules of what a published network keeps in a task that begins from its weights; they follow the user's."""
    if not task.job.strategy.pretrained:
        return ()
    rules = as_recipe(network_call(task.config)()).freeze
    rules += tuple((pattern.replace("/", "/tower_*/", 1), action) for pattern, action in rules)  # of several trunks
    return tuple(rule for rule in rules if matches(rule, task.shapes))


def _no_trade_off(config: Config, tasks: Sequence[Task]) -> list[str]:
    """Whether it is said or not, L_S alone is minimised: no mistake of a run that is one of several."""
    given = [f"--{name}={value}" for name in ("lam", "lam_schedule") if (value := getattr(config, name)) is not None]
    if not given or any(one.job.method.lam is not None for one in _all(tasks)):
        return []
    named = ", ".join(task.job.name for task in tasks)
    return [f"{' and '.join(given)} changes nothing: {named} has no trade-off."]


def _kept(config: Config, tasks: Sequence[Task]) -> list[str]:
    if not config.init_from:
        return []
    decides = lambda rule, task: rule in decided(task.rules, _movable(task)).values()
    kept = dict.fromkeys(rule for task in tasks for rule in as_published(task) if decides(rule, task))
    return [
        f"{config.network}: {pattern} stays as it comes, as published; --freeze='{pattern}=1' trains it."
        for pattern, _ in kept
    ]


def _unsaid_rates(config: Config, tasks: Sequence[Task]) -> list[str]:
    domains = {domain.name: domain for task in tasks for domain in task.problem.domains}
    silent = [name for name, domain in domains.items() if domain.modality == "sound" and not domain.rate]
    if "rate=" in config.network or not silent:
        return []
    return [
        f"{', '.join(silent)}: nothing says how many samples a second these have; --network={config.network} takes "
        "them at its own rate. rate= of the data says it."
    ]


def _movable(task: Task) -> list[str]:
    """The parameters that a rule can be about: of the head alone where features are computed once."""
    return [path for path in task.shapes if path.startswith("head/") or not task.job.strategy.cached]
