"""From sources and a target with labels to predict: what their labels allow, and what each job sees of them."""

import dataclasses
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from tl_jax.core.errors import UserError, require
from tl_jax.data.domain import Domain, known
from tl_jax.data.match.classes import check_labelled, check_several
from tl_jax.data.match.match import matched
from tl_jax.evaluation.label_free.criteria import CRITERIA, NEED_SOURCE, needs_mixtures
from tl_jax.kinds.predicting.scoring import scoring, tried
from tl_jax.kinds.predicting.table import is_open
from tl_jax.methods.contract import Method
from tl_jax.run.plan.jobs import Job
from tl_jax.run.plan.networks import resolved
from tl_jax.run.plan.problem import Problem, rows_known, units
from tl_jax.run.plan.scaling import chosen, scaled, sees_target
from tl_jax.run.plan.types import Part, Plan
from tl_jax.run.settings.config import AMOUNTS, AUTO, TARGET_VAL, Config

Methods = Mapping[str, Callable[..., Method]]


def pair(
    config: Config,
    read: Callable[[str], Domain],
    todo: list[Job],
    methods: Methods,
    *,
    another: bool = False,
    unseen: bool = False,
) -> Plan:
    """The plan of jobs that go from sources to a target.

    methods: by name, to choose from; another: whether the target is a task of its own, and labelled;
    unseen: whether it is met in the test alone.
    """
    sources = [read(spec) for spec in config.source]
    problem = Problem(*matched(sources, read(config.target), not another, config.label_space), unseen=unseen)
    check_labelled(problem.sources)
    todo, notes = _with_labels(config, problem.target, todo, another)
    config = chosen(resolved(config, problem.domains), problem, apart=not another and not unseen)
    config, problem = _by_labels(config, problem, todo, methods)
    return Plan(config, problem, of_jobs(config, problem, todo), notes)


def _with_labels(config: Config, target: Domain, todo: list[Job], needed: bool) -> tuple[list[Job], tuple[str, ...]]:
    """The jobs that the target's labels allow; of the default methods, one that they do not is left out, in words.

    Raises UserError for what was asked for and needs a label where none is known.
    """
    if len(rows_known(target)):
        if needed:
            check_several(target)
        if config.select == TARGET_VAL and not known(target.validation.y).any():
            raise UserError(
                f"--select={TARGET_VAL}: no validation example of {target.name} has a label. "
                f"Use one of {', '.join(CRITERIA)}, which need none."
            )
        return todo, ()
    none = f"{target.name}: no training example has a label"
    if is_open(config) and known(target.train.y).any():
        none += " of the source's classes"
    for name in AMOUNTS:
        if getattr(config, name) and not needed:
            raise UserError(f"{none}, and --{name} says how many labels are given. Drop it.")
    needy = [job.name for job in todo if job.method.labels in ("target", "both")]
    rest = [job for job in todo if job.name not in needy]
    if needy and config.methods == Config.methods and rest:
        return rest, (f"{none}: {', '.join(needy)} left out, a bound that cannot be computed.",)
    if needy:
        fix = "Give some labels" if needed else f"Drop {' and '.join(needy)}, or give some labels"
        raise UserError(f"{none}, and {', '.join(needy)} trains on them. {fix}.")
    return todo, ()


def of_jobs(config: Config, problem: Problem, todo: Sequence[Job]) -> list[Part]:
    """The jobs, each with the features as its method sees them; those that see the same share the arrays."""
    seen: dict[bool, Problem] = {}
    for job in todo:
        sees = sees_target(job.method)
        if sees not in seen:
            seen[sees] = scaled(config, problem, sees)
    return [Part(config, seen[sees_target(job.method)], job) for job in todo]


def _by_labels(config: Config, problem: Problem, todo: Sequence[Job], table: Methods) -> tuple[Config, Problem]:
    """Classes or values: the criterion of --select=auto, the units of values.

    Raises UserError for what needs classes where labels are values, and for values that are all equal.
    """
    criteria = scoring(problem, config.select).criteria
    tried(problem, config.select)
    if config.select == AUTO:
        config = dataclasses.replace(config, select="im" if "im" in criteria else "source_val")
    if config.select in NEED_SOURCE and not any(known(source.validation.y).any() for source in problem.sources):
        others = ", ".join(name for name in criteria if name not in NEED_SOURCE)
        raise UserError(
            f"--select={config.select} needs labels of a source's validation split, and none is known. Give some"
            + (f", or use one of {others}." if others else ".")
        )
    if needs_mixtures(config.select):
        _check_mixtures(config, problem, todo)
    if not problem.values:
        return config, problem
    name = problem.target.name
    what = f"{name} has values as labels (a regression)"
    if config.select != TARGET_VAL:
        require(f"selection criterion of {name}, whose labels are values,", config.select, criteria)
    if bad := [job.name for job in todo if not job.method.regression]:
        able = [m for m, make in table.items() if make().regression]
        raise UserError(f"{what}; {', '.join(bad)} needs classes. Methods of values: {', '.join(able)}.")
    if config.labels_per_class or config.balanced:
        given = "--labels_per_class" if config.labels_per_class else "--balanced"
        raise UserError(f"{what}; {given} needs classes. Use --label_fraction to say how much is labelled.")
    for domain in (*problem.sources, problem.target):
        for split, part in domain.splits.items():
            y = part.y[known(part.y)]
            several = len(y) > 1 or (len(y) == 1 and domain is not problem.target)
            if np.issubdtype(y.dtype, np.floating) and several and np.ptp(y) == 0:
                raise UserError(f"{domain.name}: every label of the {split} split is {y[0]:g}: nothing to learn.")
    return config, problem._replace(units=units(source.train.y for source in problem.sources))


def _check_mixtures(config: Config, problem: Problem, todo: Sequence[Job]) -> None:
    """Raises UserError where a criterion mixes inputs of the target, and there are none to be mixed."""
    cached = [job.name for job in todo if job.strategy.cached]
    if problem.unseen:
        why = f"{problem.target.name} is met in the test alone"
    elif problem.target.modality == "text":
        why = f"{problem.target.name} holds text, whose token ids cannot be mixed"
    elif cached:
        why = f"{', '.join(cached)} sees the features of every example, computed once"
    else:
        return
    raise UserError(f"--select={config.select} mixes inputs of the target, and {why}. Use another criterion.")
