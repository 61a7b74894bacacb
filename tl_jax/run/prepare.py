"""From a config to a setup: everything is checked before anything is trained or written."""

import dataclasses
from collections.abc import Mapping, Sequence

import numpy as np

from tl_jax.core.errors import UserError, require
from tl_jax.data.domain import Domain
from tl_jax.data.load import load
from tl_jax.data.match import matched
from tl_jax.methods import BY_KIND
from tl_jax.run import pretraining
from tl_jax.run.config import AUTO, TARGET_VAL, Config, check, network_call
from tl_jax.run.devices import place
from tl_jax.run.init_from import Weights, read_weights
from tl_jax.run.jobs import Job, jobs
from tl_jax.run.networks import resolved
from tl_jax.run.problem import Problem, units
from tl_jax.run.rules import without_effect
from tl_jax.run.scoring import scoring
from tl_jax.run.setup import Options, Setup, example, make_network, make_task, plain
from tl_jax.run.tasks import Part, task_jobs, task_problem


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
    get = lambda spec: domains[spec] if spec in domains else load(spec, options.data_dir)
    if config.kind == "multitask":
        problem = task_problem([get(spec) for spec in config.source])
        config = resolved(config, problem.domains)
        parts = task_jobs(config, problem)
    else:
        todo = jobs(config)
        sources = [get(spec) for spec in config.source]
        problem = Problem(*matched(sources, get(config.target), config.kind != "inductive", config.label_space))
        if config.kind == "unsupervised":
            named = [(job.name, job.method) for job in todo]
            pretraining.check_domains((*problem.sources, problem.target), named)
        config, problem = _by_labels(resolved(config, problem.domains), problem, todo)
        parts = [Part(config, problem, job) for job in todo]
    for part in parts:
        place(options.devices, len(part.job.trials), config.batch_size, options.trials == "vmap")
    weights = None
    if config.init_from:
        config, weights = _begun(config, problem, plain(parts[0].job))
        parts = [part._replace(config=config) for part in parts]
    tasks = [make_task(*part) for part in parts]
    without_effect(config, tasks)
    return Setup(config, options, problem, tasks, weights)


def _by_labels(config: Config, problem: Problem, todo: Sequence[Job]) -> tuple[Config, Problem]:
    """Classes or values: the criterion of --select=auto, the units of values.

    Raises UserError for what needs classes where labels are values, and for values that are all equal.
    """
    criteria = scoring(problem).criteria
    if config.select == AUTO:
        config = dataclasses.replace(config, select="im" if "im" in criteria else "source_val")
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
            if part.y.dtype.kind == "f" and np.ptp(part.y) == 0:
                raise UserError(f"{domain.name}: every label of the {split} split is {part.y[0]:g}: nothing to learn.")
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
    arguments = ", ".join(f"{k}={v!r}" for k, v in {**call.arguments, "bottleneck": 0}.items())
    config = dataclasses.replace(config, network=f"{call.text.partition('(')[0]}({arguments})")
    return config, read_weights(config, make_network(config, problem, job, "map"), example(problem), classes)


def domain_names(given: Sequence[str | Domain]) -> tuple[tuple[str, ...], dict[str, Domain]]:
    """Specs and domains -> their names, and the domains by name."""
    names = tuple(d.name if isinstance(d, Domain) else d for d in given)
    return names, {d.name: d for d in given if isinstance(d, Domain)}
