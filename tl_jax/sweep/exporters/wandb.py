"""Weights & Biases: a run a trial, kept in a folder without any network; `wandb sync` uploads it."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tl_jax.core.errors import needed
from tl_jax.core.files import write_atomically
from tl_jax.sweep.exporters.trial import Trial

PROJECT = "tl_jax"


def export(trials: Sequence[Trial], to: str) -> int:
    """Runs in `to`/wandb/offline-run-*; `to`/exported/IDENTITY holds the digest of what was written, written last.

    A run's id is the trial's identity: an upload of the same again changes nothing there.
    """
    package, root = needed("wandb", "--export"), Path(to)
    root.mkdir(parents=True, exist_ok=True)
    written = 0
    for trial in trials:
        mark = root / "exported" / trial.identity
        if not mark.exists() or mark.read_text() != trial.content:
            for old in root.glob(f"wandb/offline-run-*-{trial.identity}"):
                shutil.rmtree(old)
            _write(package, root, trial)
            write_atomically(mark, trial.content.encode())
            written += 1
    return written


def _write(package: Any, root: Path, trial: Trial) -> None:
    quiet = package.Settings(silent=True, console="off", x_disable_stats=True, x_disable_meta=True)
    config = {**trial.settings, **trial.origin}
    names = {"project": PROJECT, "id": trial.identity, "name": trial.name, "group": trial.origin["digest"]}
    run = package.init(**names, dir=str(root), mode="offline", config=config, settings=quiet)
    for step, metrics in trial.steps.items():
        run.log(dict(metrics), step=step)
    run.summary.update(dict(trial.results))
    run.finish()
