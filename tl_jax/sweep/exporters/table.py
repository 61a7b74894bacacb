"""The exporters by name."""

from collections.abc import Mapping, Sequence

from tl_jax.core.errors import UserError, require
from tl_jax.sweep.exporters import mlflow, tensorboard, wandb
from tl_jax.sweep.exporters.trial import Exporter, trials
from tl_jax.sweep.tables.collect import Row

EXPORTERS: Mapping[str, Exporter] = {
    "tensorboard": tensorboard.export,
    "mlflow": mlflow.export,
    "wandb": wandb.export,
}


def export(rows: Sequence[Row], name: str, to: str) -> str:
    """Every trial to a tool; what was written, in words. Raises UserError for an unknown one, or one not installed."""
    require("exporter", name, EXPORTERS)
    if not to:
        raise UserError(f"--export={name} writes to a place: name it, as in --to=exported.")
    found = trials(rows)
    written = EXPORTERS[name](found, to)
    there = f"; {len(found) - written} were there as they are" if written < len(found) else ""
    return f"{to}: {written} trials written for {name}{there}."
