"""TensorBoard: a folder a trial, written by tensorboardX, which needs no TensorFlow."""

import shutil
from collections.abc import Sequence
from pathlib import Path

from tl_jax.core.errors import needed
from tl_jax.core.files import PART
from tl_jax.sweep.exporters.trial import Trial

MARK = "exported.txt"
"""In a trial's folder: the digest of its content, written last."""


def export(trials: Sequence[Trial], to: str) -> int:
    """A folder `to`/IDENTITY a trial, with scalars, the settings as text, and its line for the tab HPARAMS."""
    needed("tensorboardX", "--export")
    written = 0
    for trial in trials:
        place = Path(to) / trial.identity
        if not (place / MARK).exists() or (place / MARK).read_text() != trial.content:
            # Whole or not at all: a folder that a kill left half-written is not read, and made anew.
            part = place.with_name(place.name + PART)
            for old in (part, place):
                shutil.rmtree(old, ignore_errors=True)
            _write(trial, part)
            (part / MARK).write_text(trial.content)
            part.rename(place)
            written += 1
    return written


def _write(trial: Trial, place: Path) -> None:
    package = needed("tensorboardX", "--export")
    writer = package.SummaryWriter(str(place))
    for step, metrics in trial.steps.items():
        for name, value in metrics.items():
            writer.add_scalar(name, value, step)
    last = max(trial.steps, default=0)
    for name, value in trial.results.items():
        writer.add_scalar(f"results/{name}", value, last)
    writer.add_text("trial", f"{trial.name}\n\n    " + trial.about.replace("\n", "\n    "))
    plain = {name: value if isinstance(value, int | float) else str(value) for name, value in trial.settings.items()}
    results = {f"results/{name}": value for name, value in trial.results.items()}
    for one in package.summary.hparams(plain, results):
        writer.file_writer.add_summary(one)
    writer.close()
