"""How a transductive table is read: bounds, negative transfer, and what its selectors have seen."""

from collections.abc import Mapping

from tl_jax.kinds.predicting.table import Key, Reading, Seeds, mean, under
from tl_jax.run.settings.config import Config

BOUNDS = {"source_only": "lower bound", "target_only": "upper bound (target labels)"}


def _negative(row: Key, scores: Mapping[Key, Seeds]) -> str:
    """Bounds by name; a method under the (best) source_only is flagged."""
    if row[0] in BOUNDS:
        return BOUNDS[row[0]]
    floors = [seeds for (method, _), seeds in scores.items() if method == "source_only" and seeds]
    return under(scores[row], max(floors, key=mean), "source_only") if floors else ""


def _how(config: Config) -> str:
    return (
        f"selected: the step chosen by {config.select}, which sees no target label. "
        "oracle: the step chosen with the target's validation labels, for comparison only."
    )


READING = Reading(("last", "selected", "oracle"), _negative, _how, BOUNDS)
