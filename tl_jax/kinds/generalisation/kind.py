"""Domain generalisation: labelled domains to train on, tested on one that neither training nor selection has met."""

from collections.abc import Callable

from tl_jax.core.errors import require
from tl_jax.data.domain import Domain
from tl_jax.kinds.predicting.kind import predicting
from tl_jax.kinds.predicting.plan import pair
from tl_jax.kinds.predicting.table import Reading, beside
from tl_jax.methods import GENERALISATION
from tl_jax.run.plan.jobs import jobs, methods
from tl_jax.run.plan.types import Plan, Planning
from tl_jax.run.settings.config import STREAMED, Config

DOMAINS = tuple(
    f"digits:handwritten?rotate={angle}&ink={ink}"
    for angle, ink in ((0, "red"), (20, "green"), (40, "blue"), (60, "yellow"))
)
"""Handwriting in four colours, turned further in each: what is learnt of three must hold beyond them."""
DEFAULTS = Config(
    kind="generalisation",
    source=DOMAINS[:-1],
    target=DOMAINS[-1],
    methods=("erm", "mldg", "vrex", "source_coral"),
    steps=400,
    batch_size=32,
    forward_plan="joint",
    select="source_val",
)
BASELINE = {"erm": "baseline"}
SELECT = ("auto", "source_val")
LABELS = ("labels_per_class", "label_fraction", "label_space")
WITHOUT = (
    "strategies",
    "sharing",
    "pretrain_steps",
    "pretrain_on",
    "view",
    "align",
    "target_batch_size",
    *LABELS,
    *STREAMED,
)


def _plan(config: Config, read: Callable[[str], Domain]) -> Plan:
    named = methods(config.methods, GENERALISATION)
    return pair(config, read, jobs(config, named), GENERALISATION, unseen=True)


def _check(config: Config) -> None:
    """Raises UserError for a criterion that would look at the domain of the test."""
    require("selection criterion of generalisation, which sees no example of the target,", config.select, SELECT)


def _how(config: Config) -> str:
    return (
        f"No example of {config.target} is seen in training or selection. selected: the step chosen by source_val, the "
        "accuracy on the validation splits of the domains trained on. oracle: the step chosen with the target's "
        "validation labels, for comparison only."
    )


GENERALISING = predicting(
    "What holds in a domain that nobody has met?",
    DEFAULTS,
    GENERALISATION,
    Planning(_plan, _check, WITHOUT),
    Reading(("last", "selected", "oracle"), beside("erm", BASELINE), _how, BASELINE),
)
