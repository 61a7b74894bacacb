"""Multi-task transfer: several labelled tasks, on one input or on several, through one trunk."""

from collections.abc import Callable

from tl_jax.data.domain import Domain
from tl_jax.kinds.multitask import observe
from tl_jax.kinds.multitask.tasks import task_jobs, task_problem
from tl_jax.run.kind import Kind
from tl_jax.run.plan.networks import resolved
from tl_jax.run.plan.scaling import chosen, scaled
from tl_jax.run.plan.types import Plan, Planning
from tl_jax.run.settings.config import STREAMED, Config

DEFAULTS = Config(
    kind="multitask",
    source=("digits:handwritten", "digits:parity", "digits:mass", "digits:printed"),
    target="",
    methods=(),
    strategies=("single", "equal", "uncertainty", "pcgrad", "cagrad"),
    steps=300,
    batch_size=32,
    eval_every=100,
)
NETWORKS = {"image": "mlp(dropout=0.0, hidden=(256,))", "vector": "mlp(dropout=0.0, hidden=(256,))"}
LABELS = ("labels_per_class", "label_fraction", "label_space", "balanced")
WITHOUT = (
    "lam",
    "lam_schedule",
    "accumulate",
    "target_batch_size",
    "label_smoothing",
    "class_weights",
    *LABELS,
    "pretrain_steps",
    "pretrain_on",
    "view",
    "align",
    *STREAMED,
)


def _plan(config: Config, read: Callable[[str], Domain]) -> Plan:
    problem = task_problem([read(spec) for spec in config.source])
    config = chosen(resolved(config, problem.domains, NETWORKS), problem)
    problem = scaled(config, problem, True)
    return Plan(config, problem, task_jobs(config, problem))


MULTITASK = Kind(
    "How to weigh several tasks that share a trunk, and does any of them lose?",
    DEFAULTS,
    {},
    Planning(_plan, without=WITHOUT, networks=NETWORKS, pair=False, new_head=True),
    observe.observe,
    observe.score,
    observe.features,
    observe.results,
    observe.table,
    observe.figures,
    criterion=observe.criterion,
)
