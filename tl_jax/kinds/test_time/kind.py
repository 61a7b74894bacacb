"""Test time: a source model, and a stream that is predicted before it is learnt from."""

import dataclasses
from collections.abc import Callable

from tl_jax.core.errors import UserError
from tl_jax.data.corruptions.table import NONE
from tl_jax.data.domain import Domain, known
from tl_jax.data.match.classes import check_labelled
from tl_jax.data.match.match import matched
from tl_jax.kinds.test_time import observe
from tl_jax.kinds.test_time.jobs import streaming
from tl_jax.kinds.test_time.streams import stream
from tl_jax.kinds.test_time.table import table
from tl_jax.methods import TEST_TIME
from tl_jax.run.kind import Kind
from tl_jax.run.plan.jobs import methods
from tl_jax.run.plan.networks import resolved
from tl_jax.run.plan.problem import Problem
from tl_jax.run.plan.scaling import chosen, scaled
from tl_jax.run.plan.types import Part, Plan, Planning
from tl_jax.run.settings.config import Config

DEFAULTS = Config(
    kind="test_time",
    source=("digits:handwritten",),
    target="digits:handwritten",
    methods=("no_adaptation", "bn_adapt", "tent"),
    corrupt=("all@5",),
    steps=400,
    forward_plan="joint",
)
LABELS = ("labels_per_class", "label_fraction", "label_space")
WITHOUT = ("strategies", "sharing", "pretrain_on", "view", "align", "select", "target_batch_size", *LABELS)


def _check(config: Config) -> None:
    """Raises UserError for a stream, a corruption or a forward plan that cannot be."""
    stream(config.stream)
    observe.corruptions(config)
    if config.forward_plan == "frozen":
        raise UserError("--forward_plan=frozen: at test time statistics move. Use joint, or another.")


def _plan(config: Config, read: Callable[[str], Domain]) -> Plan:
    named_methods = methods(config.methods, TEST_TIME)
    todo = streaming(config, named_methods)
    problem = Problem(*matched([read(spec) for spec in config.source], read(config.target), True, config.label_space))
    check_labelled(problem.sources)
    target = problem.target
    if problem.values:
        raise UserError(f"{target.name} has values as labels; test time is of classes.")
    if not known(target.test.y).all():
        raise UserError(f"{target.name}: {(~known(target.test.y)).sum()} test examples have no label to score them by.")
    if target.modality != "image" and observe.corruptions(config) != (NONE,):
        raise UserError(
            f"--corrupt={','.join(config.corrupt)}: corruptions are of images, and {target.name} holds "
            f"{target.modality}. Use --corrupt={NONE}."
        )
    config = chosen(resolved(config, problem.domains), problem)
    problem = scaled(config, problem, False)
    # A step of the hidden job draws of sources and target; that of a stream draws of the target alone.
    quiet = dataclasses.replace(config, pretrain_on="target")
    return Plan(config, problem, [Part(quiet, problem, job) for job in todo])


ON_A_STREAM = Kind(
    "Which model keeps up with a stream that nobody labels?",
    DEFAULTS,
    TEST_TIME,
    Planning(_plan, _check, WITHOUT),
    observe.observe,
    observe.score,
    observe.features,
    observe.results,
    table,
    observe.figures,
)
