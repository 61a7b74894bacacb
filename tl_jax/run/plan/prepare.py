"""From a config to a setup: everything is checked before anything is trained or written."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tl_jax.core.errors import UserError, require
from tl_jax.data.domain import Domain, changed, known
from tl_jax.data.load import load
from tl_jax.data.match import check_labelled, matched
from tl_jax.evaluation.selection import CRITERIA
from tl_jax.kinds.multitask.tasks import Part, task_jobs, task_problem
from tl_jax.kinds.predicting.scoring import scoring, tried
from tl_jax.kinds.unsupervised import views as pretraining
from tl_jax.methods import BY_KIND
from tl_jax.run.execute.execution import check_bytes
from tl_jax.run.plan.config import AMOUNTS, AUTO, TARGET_VAL, Config, check, network_call
from tl_jax.run.plan.devices import place
from tl_jax.run.plan.fits import check_network, check_options
from tl_jax.run.plan.jobs import Job, jobs
from tl_jax.run.plan.networks import resolved
from tl_jax.run.plan.problem import Problem, rows_known, units
from tl_jax.run.plan.rules import without_effect
from tl_jax.run.plan.scaling import chosen, scaled, sees_target
from tl_jax.run.plan.setup import Options, Setup, example, make_network, make_task, plain
from tl_jax.run.plan.weights import Weights, read_weights


def prepare(config: Config, options: Options, domains: Mapping[str, Domain]) -> Setup:
    """Check everything that can be checked before training. Raises UserError for the first mistake.

    domains: by name, looked up before the spec is read.
    """
    check(config)
    if config.kind == "unsupervised":
        amounts = bool(config.labels_per_class or config.label_fraction)
        pretraining.check(config.pretrain_on, config.align, config.forward_plan, amounts)
    if config.network != AUTO:
        network_call(config)
    check_options(options)
    get = lambda spec: domains[spec] if spec in domains else load(spec, options.data_dir)
    notes: tuple[str, ...] = ()
    if config.kind == "multitask":
        problem = task_problem([get(spec) for spec in config.source])
        config = chosen(resolved(config, problem.domains), problem)
        problem = scaled(config, problem, True)
        parts = task_jobs(config, problem)
    else:
        todo = jobs(config)
        sources = [get(spec) for spec in config.source]
        problem = Problem(*matched(sources, get(config.target), config.kind != "inductive", config.label_space))
        if config.kind == "unsupervised":
            named = [(job.name, job.method) for job in todo]
            pretraining.check_domains((*problem.sources, problem.target), named)
        else:
            check_labelled(problem.sources)
            todo, notes = _with_labels(config, problem.target, todo)
        config, problem = _by_labels(chosen(resolved(config, problem.domains), problem), problem, todo)
        parts = _parts(config, problem, todo)
    for part in parts:
        place(options.devices, len(part.job.trials), config.batch_size, options.trials == "vmap")
    check_network(config, problem, plain(parts[0].job))
    weights = None
    if config.init_from:
        config, weights = _begun(config, problem, plain(parts[0].job))
        parts = [part._replace(config=config) for part in parts]
    tasks = [make_task(*part) for part in parts]
    without_effect(config, tasks)
    for task in tasks:
        check_bytes(task, options)
    return Setup(config, options, problem, tasks, weights, notes)


def _with_labels(config: Config, target: Domain, todo: list[Job]) -> tuple[list[Job], tuple[str, ...]]:
    """The jobs that the target's labels allow; of the default methods, one that they do not is left out, in words.

    Raises UserError for what was asked for and needs a label where none is known.
    """
    if len(rows_known(target)):
        if config.select == TARGET_VAL and not known(target.validation.y).any():
            raise UserError(
                f"--select={TARGET_VAL}: no validation example of {target.name} has a label. "
                f"Use one of {', '.join(CRITERIA)}, which need none."
            )
        return todo, ()
    none = f"{target.name}: no training example has a label"
    if config.label_space == "open" and known(target.train.y).any():
        none += " of the source's classes"
    for name in AMOUNTS:
        if getattr(config, name) and config.kind != "inductive":
            raise UserError(f"{none}, and --{name} says how many labels are given. Drop it.")
    needy = [job.name for job in todo if job.method.labels in ("target", "both")]
    rest = [job for job in todo if job.name not in needy]
    if needy and config.methods == Config.methods and rest:
        return rest, (f"{none}: {', '.join(needy)} left out, a bound that cannot be computed.",)
    if needy:
        fix = "Give some labels" if config.kind == "inductive" else f"Drop {' and '.join(needy)}, or give some labels"
        raise UserError(f"{none}, and {', '.join(needy)} trains on them. {fix}.")
    return todo, ()


def _parts(config: Config, problem: Problem, todo: Sequence[Job]) -> list[Part]:
    """The jobs, each with the features as its method sees them; those that see the same share the arrays."""
    seen: dict[bool, Problem] = {}
    for job in todo:
        sees = sees_target(job.method)
        if sees not in seen:
            seen[sees] = scaled(config, problem, sees)
    return [Part(config, seen[sees_target(job.method)], job) for job in todo]


def _by_labels(config: Config, problem: Problem, todo: Sequence[Job]) -> tuple[Config, Problem]:
    """Classes or values: the criterion of --select=auto, the units of values.

    Raises UserError for what needs classes where labels are values, and for values that are all equal.
    """
    criteria = scoring(problem, config.select).criteria
    tried(problem, config.select)
    if config.select == AUTO:
        config = dataclasses.replace(config, select="im" if "im" in criteria else "source_val")
    judged = config.kind != "unsupervised" and config.select == "source_val"
    if judged and not any(known(source.validation.y).any() for source in problem.sources):
        raise UserError(
            "--select=source_val needs labels of a source's validation split, and none is known. Give some"
            + (f", or use one of {', '.join(c for c in criteria if c != 'source_val')}." if len(criteria) > 1 else ".")
        )
    if not problem.values:
        return config, problem
    name = problem.target.name
    what = f"{name} has values as labels (a regression)"
    if config.select != TARGET_VAL:
        require(f"selection criterion of {name}, whose labels are values,", config.select, criteria)
    if bad := [job.name for job in todo if not job.method.regression]:
        able = [m for m, make in BY_KIND[config.kind].items() if make().regression]
        raise UserError(f"{what}; {', '.join(bad)} needs classes. Methods of values: {', '.join(able)}.")
    if config.labels_per_class or config.balanced:
        given = "--labels_per_class" if config.labels_per_class else "--balanced"
        raise UserError(f"{what}; {given} needs classes. Use --label_fraction to say how much is labelled.")
    for domain in (*problem.sources, problem.target):
        for split, part in domain.splits.items():
            y = part.y[known(part.y)]
            if y.dtype.kind == "f" and len(y) and np.ptp(y) == 0 and (len(y) > 1 or domain is not problem.target):
                raise UserError(f"{domain.name}: every label of the {split} split is {y[0]:g}: nothing to learn.")
    return config, problem._replace(units=units(source.train.y for source in problem.sources))


def _begun(config: Config, problem: Problem, job: Job) -> tuple[Config, Weights]:
    """The weights of --init_from and the config that uses them.

    In inductive transfer what is new is the head: a bottleneck that the file does not have is left out.
    """
    classes = () if problem.values or problem.tasks else problem.target.classes
    weights = read_weights(config, make_network(config, problem, job, "map"), example(problem), classes)
    new = {path for path in weights.report.reinitialised if path.startswith("bottleneck/")}
    if config.kind != "inductive" or not new:
        return config, weights
    call = network_call(config)
    if "bottleneck" in call.arguments:
        raise UserError(
            f"--network={call.text}: {config.init_from} has no such bottleneck, and a strategy that freezes the trunk "
            "would freeze it as it was drawn. Leave the bottleneck out: the features then go into the new head."
        )
    config = dataclasses.replace(config, network=call.changed(bottleneck=0).text)
    return config, read_weights(config, make_network(config, problem, job, "map"), example(problem), classes)


def domain_names(given: Sequence[str | Domain]) -> tuple[tuple[str, ...], dict[str, Domain]]:
    """Specs and domains -> their names, and the domains by name: the second one called 'a' is 'a-2'."""
    names, found = [], {}
    specs = {one for one in given if isinstance(one, str)}
    for one in given:
        name, number = (one, 1) if isinstance(one, str) else (one.name, 1)
        while not isinstance(one, str) and (name in specs or found.get(name, one) is not one):
            number += 1
            name = f"{one.name}-{number}"
        names.append(name)
        if not isinstance(one, str):
            found[name] = one
    return tuple(names), {
        name: domain if domain.name == name else changed(domain, name=name) for name, domain in found.items()
    }
