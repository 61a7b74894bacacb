"""Fine-tuning as jobs: a strategy, which says what moves, with a method, which says what is minimised."""

import dataclasses

from tl_jax.core.errors import UserError
from tl_jax.fine_tuning.strategies import STRATEGIES
from tl_jax.fine_tuning.strategy import Strategy
from tl_jax.methods import ADAPTATION, FINE_TUNING
from tl_jax.methods.contract import Method
from tl_jax.models.parts.recipe import as_recipe
from tl_jax.run.plan.jobs import Job, calls, check_swept, make_job, methods, values_of
from tl_jax.run.plan.problem import Problem
from tl_jax.run.settings.config import AUTO, Config, network_call


def fine_tuning_jobs(config: Config) -> list[Job]:
    """One job a strategy and method, each with its trials; one a method where no strategy is named.

    Raises UserError for unknown or repeated methods and strategies, and for a swept name that no method has.
    """
    named = methods(config.methods, FINE_TUNING)
    strategies = [(call.text, call()) for call in calls(config.strategies, STRATEGIES, "strategy", Strategy)]
    check_swept(config, [method for _, method in named])
    todo = []
    for text, strategy in strategies:
        if strategy.method:
            todo.append(_fine_tuning(config, make_job(config, text, strategy.method, True), strategy))
            continue
        for name, method in named:
            title = text if len(named) == 1 else f"{text} {name}"
            todo.append(_fine_tuning(config, make_job(config, title, method, True), strategy))
    return todo


def _fine_tuning(config: Config, job: Job, strategy: Strategy) -> Job:
    """The job under a strategy: from one pretrained model that all trials and all strategies share, or from a file.

    Raises UserError for a method that features alone are not enough for, or that goes between weights where the
    strategy trains their factors.
    """
    if job.method.between is not None and strategy.merge is not None:
        raise UserError(
            f"{job.name}: this method goes between two models weight by weight, and the strategy trains factors of "
            "weights, whose products do not lie between. Use it with lp_ft or full."
        )
    if strategy.cached and (why := _beyond_features(job.method)):
        raise UserError(
            f"{job.name}: the strategy computes the features of the target's examples once and trains a head on them, "
            f"and the method {why}. Use another strategy, such as --strategy=linear_probe, or --method=fine_tune."
        )
    if strategy.named and not (config.network != AUTO and as_recipe(network_call(config)()).prompts):
        needed = '--network=\'clip(from="PATH", prompt="a photo of a {}")\''
        raise UserError(f"{job.name} begins from the names of the classes, as of {needed}.")
    start = None
    if strategy.pretrained and not config.init_from:
        method = ADAPTATION["source_only"]()
        trials = ((config.seeds[0], tuple(values_of(config, method).items())),)
        start = Job("pretrain", method, trials, config.pretrain_steps or config.steps)
    return dataclasses.replace(job, strategy=strategy, start=start)


def _beyond_features(method: Method) -> str:
    """What a method needs besides features of the target that are computed once; empty: nothing."""
    views = sorted({view.augment for view in method.views.values()} - {"none"})
    needs = {
        "trains on the source's examples as well": method.labels == "both",
        "reads the head of the source task": method.source_head,
        f"changes its examples in every step (view {', '.join(views)})": bool(views),
        "is about the parameters of the trunk": method.trunk,
    }
    return next((what for what, so in needs.items() if so), "")


def check_sources(problem: Problem, job: Job) -> None:
    """Raises UserError for a method that trains on source examples beside the target's where there are none."""
    if job.method.labels == "both" and not problem.sources:
        raise UserError(
            f"{job.name}: the method trains one head on labelled examples of source and target, and there is no source "
            f"with the classes of {problem.target.name}. Give a --source that has them, or use --method=fine_tune."
        )
