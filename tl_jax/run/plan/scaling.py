"""Which training examples the scale of a method's features is fitted on: what it may see, and no more."""

import contextlib
import dataclasses
import json
from pathlib import Path

from tl_jax.core.errors import UserError
from tl_jax.data.standardise import MODALITIES, fitted, standardised
from tl_jax.methods.contract import Method
from tl_jax.run.plan.problem import Problem
from tl_jax.run.settings.config import AUTO, STANDARDISE, Config

NONE, SOURCE, PER_DOMAIN = STANDARDISE


def chosen(config: Config, problem: Problem, apart: bool = False) -> Config:
    """The config with what `auto` stands for.

    Of vectors and series: each domain by itself where domains are kept `apart` and the forward plan tells them apart,
    else all by the source; nothing for others. Weights of --init_from have seen features as they were, unless the
    run that they are of, or the model.json of an export beside them, says otherwise: then the source's scale is the
    nearest.

    Raises UserError where it is asked for and there is nothing to do.
    """
    able = problem.target.modality in MODALITIES
    apart = apart and config.forward_plan == PER_DOMAIN
    if config.standardise == AUTO:
        usual = (PER_DOMAIN if apart else SOURCE) if able else NONE
        if config.init_from:
            usual = SOURCE if able and _standardised_before(config.init_from) else NONE
        return dataclasses.replace(config, standardise=usual)
    if config.standardise != NONE and not able:
        raise UserError(
            f"--standardise={config.standardise} is of {' and '.join(MODALITIES)}; {problem.target.name} holds "
            f"{problem.target.modality}, whose scale is known. Leave it out."
        )
    if config.standardise == PER_DOMAIN and problem.tasks:
        raise UserError("--standardise=per_domain: tasks share their network, so they have one scale: use source.")
    return config


def _standardised_before(init_from: str) -> bool:
    """Whether the run or the export that these weights come from was trained on standardised features."""
    place = Path(init_from.partition("?")[0]).expanduser()
    folder = place if place.is_dir() else place.parent
    for name in ("model.json", "config.json"):
        with contextlib.suppress(OSError, ValueError):
            return json.loads((folder / name).read_text()).get("standardise", NONE) not in (NONE, AUTO)
    return False


def sees_target(method: Method) -> bool:
    """Whether a method passes examples of the target in training, or those of a model that it begins from."""
    return method.labels != "source" or any(view.domain == "target" for view in method.views.values())


def scaled(config: Config, problem: Problem, sees: bool) -> Problem:
    """The problem with features as a method has them that sees the target, or does not.

    source: every domain by the training examples of the sources together (of the target where there is no source);
    per_domain: each by its own, the target by the sources' for a method that does not see it (source_only).
    """
    if config.standardise == NONE:
        return problem
    shared = fitted([source.train.x for source in problem.sources or (problem.target,)])
    own = config.standardise == PER_DOMAIN
    sources = tuple(standardised(source, fitted([source.train.x]) if own else shared) for source in problem.sources)
    of_target = fitted([problem.target.train.x]) if own and sees else shared
    target = sources[0] if problem.tasks else standardised(problem.target, of_target)
    return problem._replace(sources=sources, target=target, scale=of_target)
