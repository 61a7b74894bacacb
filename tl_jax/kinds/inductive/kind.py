"""Inductive transfer: a labelled source (or weights from a file), a target task with labels of its own, often few."""

from collections.abc import Callable, Mapping

from tl_jax.data.domain import Domain
from tl_jax.kinds.inductive.jobs import check_sources, fine_tuning_jobs
from tl_jax.kinds.predicting.kind import predicting
from tl_jax.kinds.predicting.plan import pair
from tl_jax.kinds.predicting.table import Key, Reading, Seeds, mean, under
from tl_jax.methods import FINE_TUNING
from tl_jax.run.plan.types import Part, Plan, Planning
from tl_jax.run.settings.config import STREAMED, TARGET_VAL, Config

DEFAULTS = Config(
    kind="inductive",
    methods=("fine_tune",),
    strategies=("scratch", "linear_probe", "last_k", "full", "lp_ft"),
    labels_per_class=(1, 2, 5, 10),
    pretrain_steps=300,
    steps=100,
    batch_size=32,
    forward_plan="joint",
    select=TARGET_VAL,
    eval_every=20,
)
WITHOUT = ("label_space", "target_batch_size", "sharing", "pretrain_on", "view", "align", *STREAMED)


def _plan(config: Config, read: Callable[[str], Domain]) -> Plan:
    plan = pair(config, read, fine_tuning_jobs(config), FINE_TUNING, another=True)
    return plan._replace(parts=[_of_target(part) for part in plan.parts])


def _of_target(part: Part) -> Part:
    """Fine-tuning sees the target, and the hidden job that it begins from the sources."""
    problem = part.problem.of_target()
    check_sources(problem, part.job)
    return part._replace(problem=problem, before=part.problem.of_source() if part.job.start else None)


def _gain(row: Key, scores: Mapping[Key, Seeds]) -> str:
    """What was gained over training from scratch on the same labels; a loss is flagged."""
    method, swept = row
    floor = scores.get(("scratch", swept))
    if not floor or method == "scratch":
        return "no transfer" if method == "scratch" else ""
    gain = mean(scores[row]) - mean(floor) if scores[row] else 0.0
    return f"{gain:+.3f} over scratch" if gain > 0 else under(scores[row], floor, "scratch")


def _how(config: Config) -> str:
    steps = f"{config.pretrain_steps or config.steps} steps on {' + '.join(config.source)}"
    begin = f"Weights of {config.init_from}" if config.init_from else f"Pretrained once ({steps})"
    return (
        f"{begin}; seeds vary the labelled examples, the new head and the batches. selected: the step chosen by "
        f"{config.select}"
        + (", which needs the labels of the target's validation split." if config.select == TARGET_VAL else ".")
    )


INDUCTIVE = predicting(
    "What to freeze and what to tune, where the target has labels of its own, often few?",
    DEFAULTS,
    FINE_TUNING,
    Planning(_plan, without=WITHOUT, criteria=(TARGET_VAL,), new_head=True),
    Reading(("last", "selected"), _gain, _how),
)
