"""From a config to everything its jobs need, before anything is trained or written."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp

from tl_jax.core.types import Network
from tl_jax.data.domain import Domain
from tl_jax.data.load import load
from tl_jax.data.match import matched
from tl_jax.models.conv import conv_form
from tl_jax.models.networks import build
from tl_jax.run.calibration import choose
from tl_jax.run.config import Config, Job, check, jobs, network_call
from tl_jax.run.devices import Placement, place
from tl_jax.run.problem import Problem, check_batches
from tl_jax.run.trials import Programs, programs, starts
from tl_jax.training.freezing import resolve
from tl_jax.training.state import Data, State, accepting_bytes, create
from tl_jax.training.step import Recipe


class Options(NamedTuple):
    """What a user may choose without changing a number: where things lie and how they are executed."""

    run_dir: str = ""
    data_dir: str = ""
    devices: int = 0
    trials: str = "auto"
    quiet: bool = False


class Setup(NamedTuple):
    """A checked config with its problem and jobs; shapes: {name of a job: {path: shape of a parameter}}."""

    config: Config
    options: Options
    problem: Problem
    jobs: list[Job]
    shapes: Mapping[str, dict[str, jax.ShapeDtypeStruct]]


class Execution(NamedTuple):
    """How a job runs here: its recipe, data and placement, the mode of its trials and why."""

    recipe: Recipe
    data: Data
    placement: Placement
    mode: str
    reason: str


def prepare(config: Config, options: Options, domains: Mapping[str, Domain]) -> Setup:
    """Check everything that can be checked before training. Raises UserError for the first mistake.

    domains: by name, looked up before the spec is read.
    """
    check(config)
    network_call(config)
    todo = jobs(config)
    get = lambda spec: domains[spec] if spec in domains else load(spec, options.data_dir)
    sources, target = matched([get(spec) for spec in config.source], get(config.target))
    problem = Problem(sources, target)
    check_batches(problem, config.batch_size)
    shapes = {}
    for job in todo:
        place(options.devices, len(job.trials), config.batch_size, options.trials == "vmap")
        for part in filter(None, (job.start, job)):
            shapes[part.name] = parameter_shapes(config, problem, part)
            resolve(part.rules(config), shapes[part.name])
    return Setup(config, options, problem, todo, shapes)


def make_network(config: Config, problem: Problem, mode: str) -> Network:
    """The config's network; its convolutions take the form that suits the platform and the mode."""
    call = network_call(config)
    form = conv_form(jax.default_backend(), mode == "vmap")
    dtype = jnp.dtype(config.precision)
    name = call.text.partition("(")[0]
    return accepting_bytes(build((name, call.arguments), len(problem.target.classes), dtype, form))


def make_recipe(setup: Setup, job: Job, mode: str, placement: Placement) -> Recipe:
    """How a job trains."""
    config = setup.config
    return Recipe(
        network=make_network(config, setup.problem, mode),
        method=job.method,
        plan=config.forward_plan,
        optimizer=config.optimizer,
        total=config.steps,
        batch_size=config.batch_size,
        lam_schedule=config.lam_schedule or job.method.lam_schedule,
        lr_schedule=config.lr_schedule,
        clip_norm=config.clip_norm,
        place_batch=placement.batch(),
    )


def parameter_shapes(config: Config, problem: Problem, job: Job) -> dict[str, jax.ShapeDtypeStruct]:
    """{path: shape} of every parameter of one trial, computed without allocating any."""
    one = jax.tree.map(lambda x: x[0], starts(job.trials, None))
    network = make_network(config, problem, "map")
    data = problem.training(job.method)
    begin = lambda start, data: create(network, job.method, config.forward_plan, data, start)
    state: State = jax.eval_shape(begin, one, data)
    return state.params  # pyright: ignore[reportReturnType]


def execution(setup: Setup, job: Job, remembered: str | None) -> Execution:
    """Decide how a job's trials run: as remembered, as asked for, or as measured on this machine."""
    config, options = setup.config, setup.options
    data = setup.problem.training(job.method)
    factors = resolve(job.rules(config), setup.shapes[job.name])

    def built(mode: str) -> tuple[Recipe, Placement]:
        placement = place(options.devices, len(job.trials), config.batch_size, mode == "vmap")
        return make_recipe(setup, job, mode, placement), placement

    def candidate(mode: str) -> Programs:
        return programs(built(mode)[0], factors, mode)

    if remembered or options.trials != "auto":
        mode = remembered or options.trials
        reason = f"{len(job.trials)} trials, {mode} as {'before' if remembered else 'asked for'}"
    else:
        shape = ", ".join(map(str, data.target.shape[1:]))
        described = f"{config.network}, {config.precision}, batch {config.batch_size} of {shape}"
        mode, reason = choose(described, candidate, starts(job.trials, None), data)
    recipe, placement = built(mode)
    return Execution(recipe, placement.data(data), placement, mode, reason)


def domain_names(given: Sequence[str | Domain]) -> tuple[tuple[str, ...], dict[str, Domain]]:
    """Specs and domains -> their names, and the domains by name."""
    names = tuple(d.name if isinstance(d, Domain) else d for d in given)
    return names, {d.name: d for d in given if isinstance(d, Domain)}
