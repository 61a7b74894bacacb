"""Unsupervised transfer: neither side labelled; self-supervised pretraining, judged by protocols with labels."""

from collections.abc import Callable

from tl_jax.data.domain import Domain
from tl_jax.data.match.match import matched
from tl_jax.kinds.predicting.observe import features
from tl_jax.kinds.predicting.plan import of_jobs
from tl_jax.kinds.unsupervised import observe, views
from tl_jax.methods import BASELINES, SELF_SUPERVISION, made
from tl_jax.run.kind import Kind
from tl_jax.run.plan.jobs import calls, jobs
from tl_jax.run.plan.networks import resolved
from tl_jax.run.plan.problem import Problem
from tl_jax.run.plan.scaling import chosen
from tl_jax.run.plan.types import Plan, Planning
from tl_jax.run.settings.config import STREAMED, Config

DEFAULTS = Config(
    kind="unsupervised",
    source=("digits:handwritten",),
    target="digits:photo",
    methods=("simclr(temperature=0.1)", "untrained", "pixels"),
    view="distorted",
    forward_plan="joint",
    align=("none",),
    lr=1e-3,
    steps=600,
    batch_size=32,
    eval_every=150,
)
METHODS = {**SELF_SUPERVISION, **BASELINES}
NETWORKS = {"image": "cnn(bottleneck=0, dense=256, dropout=0.0, widths=(16, 32, 64))"}
WITHOUT = (
    "strategies",
    "sharing",
    "labels_per_class",
    "label_fraction",
    "balanced",
    "target_batch_size",
    "label_smoothing",
    "class_weights",
    "augment",
    "pretrain_steps",
    "select",
    *STREAMED,
)


def _plan(config: Config, read: Callable[[str], Domain]) -> Plan:
    called = calls(config.methods, METHODS, "method")
    for call in called:
        made(call, METHODS)  # refuses a user's own that is given labels
    named = views.variants(called, config.view, config.align, 1 + len(config.source))
    todo = jobs(config, named)
    problem = Problem(*matched([read(spec) for spec in config.source], read(config.target), True, config.label_space))
    views.check_domains((*problem.sources, problem.target), named)
    config = chosen(resolved(config, problem.domains, NETWORKS), problem)
    return Plan(config, problem, of_jobs(config, problem, todo))


UNSUPERVISED = Kind(
    "Is a representation that was learnt without any label good on another domain?",
    DEFAULTS,
    METHODS,
    Planning(_plan, views.check, WITHOUT, NETWORKS),
    observe.observe,
    observe.score,
    features,
    observe.results,
    observe.table,
    observe.figures,
    observe.keep,
)
