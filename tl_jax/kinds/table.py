"""What the kinds of transfer do differently around one and the same loop."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure

from tl_jax.kinds.multitask import observe as multitask
from tl_jax.kinds.multitask import table as task_report
from tl_jax.kinds.predicting import observe as prediction
from tl_jax.kinds.predicting import predictions as predicted
from tl_jax.kinds.predicting import table as report
from tl_jax.kinds.unsupervised import observe as unsupervised
from tl_jax.run.execute import divergence
from tl_jax.run.execute.trials import Programs
from tl_jax.run.plan.setup import Setup, Task
from tl_jax.run.store.rundir import RunDirectory
from tl_jax.training.state import State

Arrays = Mapping[str, np.ndarray]
Records = Sequence[Mapping[str, Any]]


class Kind(NamedTuple):
    """From a trained state to results.

    observe(task, programs, states) -> what is stored at every evaluation, [T, ...] each, without labels.
    score(task, observed) -> {metric: one value a trial}, for the learning curves.
    features(task, programs, states) -> what is stored at the end of a job, for the figures.
    results(task, directory) -> one record a trial of a finished job, as in results.json.
    table(setup, records, {job: why it is not finished}) -> the table.
    figures(setup, directory, records) -> {file name: drawn when called}.
    keep(task, directory, states): write what outlives a job besides its records.
    write(setup, directory): other files of a run, from what is stored of the finished jobs.
    """

    observe: Callable[[Task, Programs, State], Arrays]
    score: Callable[[Task, Arrays], Mapping[str, Sequence[float | None]]]
    features: Callable[[Task, Programs, State], Arrays]
    results: Callable[[Task, RunDirectory], list[dict[str, Any]]]
    table: Callable[[Setup, Records, Mapping[str, str]], report.Table]
    figures: Callable[[Setup, RunDirectory, Records], Mapping[str, Callable[[], Figure]]]
    keep: Callable[[Task, RunDirectory, State], None] = lambda task, directory, states: None
    write: Callable[[Setup, RunDirectory], None] = lambda setup, directory: None


def _finite(table: Callable, setup: Setup, records: Records, unfinished: Mapping[str, str]) -> report.Table:
    """A table of the trials that stayed finite, and a note on the others."""
    found = table(setup, divergence.alive(records), unfinished)
    return found._replace(note=found.note + divergence.note(records))


PREDICTION = Kind(
    prediction.observe,
    prediction.score,
    prediction.finished,
    prediction.results,
    prediction.table,
    prediction.figures,
    write=predicted.write,
)
UNSUPERVISED = Kind(
    unsupervised.observe,
    unsupervised.score,
    prediction.features,
    unsupervised.results,
    lambda *given: _finite(unsupervised.table, *given),
    unsupervised.figures,
    unsupervised.keep,
)
MULTITASK = Kind(
    multitask.observe,
    multitask.score,
    multitask.features,
    multitask.results,
    lambda *given: _finite(lambda setup, *rest: task_report.table(setup.config, *rest), *given),
    multitask.figures,
)
KINDS: Mapping[str, Kind] = {
    "transductive": PREDICTION,
    "inductive": PREDICTION,
    "unsupervised": UNSUPERVISED,
    "multitask": MULTITASK,
}
