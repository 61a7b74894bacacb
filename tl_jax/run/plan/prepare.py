"""From a config to a setup: everything is checked before anything is trained or written."""

import dataclasses
import functools
import math
from collections.abc import Callable, Mapping

from tl_jax.core.errors import UserError, require
from tl_jax.data.domain import Domain
from tl_jax.data.load import load
from tl_jax.data.match.copies import seen_before
from tl_jax.evaluation.label_free.criteria import CRITERIA, criterion
from tl_jax.models.files.weights import File
from tl_jax.models.sharing import ONE_TRUNK
from tl_jax.naming.own_code import is_own
from tl_jax.run.plan.devices import place
from tl_jax.run.plan.effects import without_effect
from tl_jax.run.plan.fits import check, check_network, check_options
from tl_jax.run.plan.jobs import Job
from tl_jax.run.plan.problem import Problem
from tl_jax.run.plan.setup import example, make_network, make_task, plain
from tl_jax.run.plan.types import Options, Planning, Setup
from tl_jax.run.plan.weights import Weights, read_weights, with_texts
from tl_jax.run.plan.words import begun, reading
from tl_jax.run.settings.config import AUTO, Config, network_call


def prepare(
    how: Planning, config: Config, options: Options, domains: Mapping[str, Domain], *, file: File | None = None
) -> Setup:
    """Check everything that can be checked before training. Raises UserError for the first mistake.

    how: what the config's kind of transfer decides; domains: by name, looked up before the spec is read; file: the
    weights of --init_from, where they are of a run.
    """
    # What needs no data.
    check(config)
    if config.network != AUTO:
        config = begun(config)
    _check_of_kind(how, config)
    how.check(config)
    check_options(options)
    # The data, what `auto` stands for with them, and the jobs.
    read = functools.cache(lambda spec: domains[spec] if spec in domains else load(spec, options.data_dir))
    config = _in_steps(config, read)
    config, problem, parts, notes = how.plan(config, reading(config, read))
    # The machine and the network. The weights of a file may change the config (a bottleneck that it lacks is left out).
    for part in parts:
        place(options.devices, len(part.job.trials), config.passed, options.trials == "vmap")
    first = plain(parts[0].job)
    check_network(config, problem, first)
    weights = None
    if config.init_from:
        config, weights = _begun(config, problem, (first, how.new_head), file)
        if any(part.job.strategy.context for part in parts):
            weights = with_texts(config, weights)
        with_network = lambda own: dataclasses.replace(own, network=config.network)
        parts = [part._replace(config=with_network(part.config), loaded=frozenset(weights.params)) for part in parts]
    # Each job with the data that it sees. A freezing rule without effect anywhere is a mistake: it would be believed.
    tasks = [make_task(part) for part in parts]
    without_effect(config, tasks)
    notes += seen_before([read(spec) for spec in config.source], read(config.target) if config.target else None)
    return Setup(config, options, problem, tasks, weights, notes)


def _check_of_kind(how: Planning, config: Config) -> None:
    """Raises UserError for settings that say nothing to a kind of transfer, or that it needs and has not."""
    for field in dataclasses.fields(Config):
        if field.name in how.without and getattr(config, field.name) != field.default:
            raise UserError(f"--{field.name} says nothing to {config.kind} transfer: leave it out.")
    if how.pair and not config.source and not config.init_from:
        raise UserError(
            f"No source: {config.kind} transfer needs at least one, or weights to begin from (--init_from)."
        )
    if config.select == "oracle":
        raise UserError(
            "--select=oracle uses target labels. It is reported beside every result under the mark 'oracle', "
            f"and never used to choose. Label-free: {', '.join(CRITERIA)}."
        )
    if not isinstance(config.select, str) or not (is_own(config.select) or "(" in config.select):
        require("selection criterion", config.select, [AUTO, *CRITERIA, *how.criteria])
    else:
        criterion(config.select)


def _in_steps(config: Config, read: Callable[[str], Domain]) -> Config:
    """The config with the steps that its passes over the largest training set take."""
    if not config.epochs:
        return config
    specs = [*config.source, *([config.target] if config.target else [])]
    longest = max(len(read(spec).train.x) for spec in specs)
    return dataclasses.replace(config, steps=max(1, math.ceil(config.epochs * longest / config.batch_size)))


def _begun(config: Config, problem: Problem, of: tuple[Job, bool], file: File | None) -> tuple[Config, Weights]:
    """The weights of --init_from and the config that uses them.

    Where the head is new (as in inductive transfer), a bottleneck that the file does not have is left out.
    """
    job, new_head = of
    classes = () if problem.values or problem.tasks else problem.target.classes
    form = lambda config: make_network(dataclasses.replace(config, sharing=ONE_TRUNK), problem, job, "map")
    read = lambda config: read_weights(config, form(config), example(problem), classes, new_head=new_head, file=file)
    weights = read(config)
    new = {path for path in weights.report.reinitialised if path.startswith("bottleneck/")}
    if not new_head or not new:
        return config, weights
    call = network_call(config)
    if "bottleneck" in call.arguments:
        raise UserError(
            f"--network={call.text}: {config.init_from} has no such bottleneck, and a strategy that freezes the trunk "
            "would freeze it as it was drawn. Leave the bottleneck out: the features then go into the new head."
        )
    config = dataclasses.replace(config, network=call.changed(bottleneck=0).text)
    return config, read(config)
