"""From a config to a setup: everything is checked before anything is trained or written."""

import dataclasses
from collections.abc import Mapping, Sequence

from tl_jax.core.errors import UserError
from tl_jax.data.domain import Domain
from tl_jax.data.load import load
from tl_jax.data.match import matched
from tl_jax.run import pretraining
from tl_jax.run.config import Config, check, network_call
from tl_jax.run.devices import place
from tl_jax.run.init_from import Weights, read_weights
from tl_jax.run.jobs import Job, jobs
from tl_jax.run.problem import Problem
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
    network_call(config)
    get = lambda spec: domains[spec] if spec in domains else load(spec, options.data_dir)
    if config.kind == "multitask":
        problem = task_problem([get(spec) for spec in config.source])
        parts = task_jobs(config, problem)
    else:
        todo = jobs(config)
        sources = [get(spec) for spec in config.source]
        problem = Problem(*matched(sources, get(config.target), config.kind != "inductive", config.label_space))
        if config.kind == "unsupervised":
            named = [(job.name, job.method) for job in todo]
            pretraining.check_domains((*problem.sources, problem.target), named)
        parts = [Part(config, problem, job) for job in todo]
    for part in parts:
        place(options.devices, len(part.job.trials), config.batch_size, options.trials == "vmap")
    weights = None
    if config.init_from:
        config, weights = _begun(config, problem, plain(parts[0].job))
        parts = [part._replace(config=config) for part in parts]
    return Setup(config, options, problem, [make_task(*part) for part in parts], weights)


def _begun(config: Config, problem: Problem, job: Job) -> tuple[Config, Weights]:
    """The weights of --init_from and the config that uses them.

    In inductive transfer what is new is the head: a bottleneck that the file does not have is left out.
    """
    weights = read_weights(config, make_network(config, problem, job, "map"), example(problem))
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
    return config, read_weights(config, make_network(config, problem, job, "map"), example(problem))


def domain_names(given: Sequence[str | Domain]) -> tuple[tuple[str, ...], dict[str, Domain]]:
    """Specs and domains -> their names, and the domains by name."""
    names = tuple(d.name if isinstance(d, Domain) else d for d in given)
    return names, {d.name: d for d in given if isinstance(d, Domain)}
