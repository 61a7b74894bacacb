"""MLflow: a run a trial in the experiment `tl_jax`, on a server or in a folder."""

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tl_jax.core.errors import needed
from tl_jax.sweep.exporters.trial import Trial

EXPERIMENT = "tl_jax"
IDENTITY, CONTENT = "tl_jax_trial", "tl_jax_content"
"""Tags: which trial a run is, and, set last, the digest of what it holds."""
LONGEST = 500
"""Characters of a parameter, below MLflow's limit."""
AT_ONCE = 1000
"""Metrics of one call."""


def export(trials: Sequence[Trial], to: str) -> int:
    """to: the address of a tracking server, or a folder, in which mlflow.db is made (SQLite)."""
    package = needed("mlflow", "--export")
    logging.getLogger("alembic").setLevel(logging.WARNING)
    client = package.MlflowClient(tracking_uri=_address(to))
    found = client.get_experiment_by_name(EXPERIMENT)
    experiment = found.experiment_id if found else client.create_experiment(EXPERIMENT)
    written = 0
    for trial in trials:
        runs = client.search_runs([experiment], f"tags.{IDENTITY} = '{trial.identity}'")
        if not any(run.data.tags.get(CONTENT) == trial.content for run in runs):
            for run in runs:
                client.delete_run(run.info.run_id)
            _write(package, client, experiment, trial)
            written += 1
    return written


def _address(to: str) -> str:
    if "://" in to:
        return to
    Path(to).mkdir(parents=True, exist_ok=True)
    return f"sqlite:///{(Path(to) / 'mlflow.db').absolute()}"


def _write(package: Any, client: Any, experiment: str, trial: Trial) -> None:
    run = client.create_run(
        experiment, run_name=trial.name, tags={IDENTITY: trial.identity, **trial.origin}
    ).info.run_id
    parameters = [package.entities.Param(name, str(value)[:LONGEST]) for name, value in trial.settings.items()]
    last = max(trial.steps, default=0)
    steps = {
        **trial.steps,
        last: {**trial.steps.get(last, {}), **{f"results/{n}": v for n, v in trial.results.items()}},
    }
    metric = package.entities.Metric
    metrics = [metric(name, value, 0, step) for step, found in steps.items() for name, value in found.items()]
    client.log_batch(run, params=parameters)
    for i in range(0, len(metrics), AT_ONCE):
        client.log_batch(run, metrics=metrics[i : i + AT_ONCE])
    client.set_tag(run, CONTENT, trial.content)
    client.set_terminated(run)
