"""How a transductive table is read: bounds, negative transfer, and what its selectors have seen."""

from tl_jax.kinds.predicting.table import Reading, beside
from tl_jax.run.settings.config import Config

BOUNDS = {"source_only": "lower bound", "target_only": "upper bound (target labels)"}


def _how(config: Config) -> str:
    return (
        f"selected: the step chosen by {config.select}, which sees no target label. "
        "oracle: the step chosen with the target's validation labels, for comparison only."
    )


READING = Reading(("last", "selected", "oracle"), beside("source_only", BOUNDS), _how, BOUNDS)
