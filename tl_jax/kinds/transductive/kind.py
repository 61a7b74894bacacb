"""Transductive transfer: labelled sources, an unlabelled target of the same classes (or values)."""

from collections.abc import Callable

from tl_jax.data.domain import Domain
from tl_jax.kinds.predicting.kind import predicting
from tl_jax.kinds.predicting.plan import pair
from tl_jax.kinds.transductive import baselines
from tl_jax.kinds.transductive.reading import READING
from tl_jax.methods import ADAPTATION
from tl_jax.run.plan.jobs import jobs, methods
from tl_jax.run.plan.types import Plan, Planning
from tl_jax.run.settings.config import STREAMED, Config


def _plan(config: Config, read: Callable[[str], Domain]) -> Plan:
    named = methods(config.methods, ADAPTATION)
    return pair(config, read, jobs(config, named), ADAPTATION)


TRANSDUCTIVE = predicting(
    "Which adaptation to an unlabelled target, without peeking at its labels?",
    Config(),
    ADAPTATION,
    Planning(_plan, without=("strategies", "sharing", "pretrain_on", "view", "align", *STREAMED)),
    READING,
)._replace(baselines=baselines.records, beneath=baselines.beneath)
