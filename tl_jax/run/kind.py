"""A kind of transfer as a value: what the kinds do differently around one and the same loop."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from tl_jax.methods.contract import Method
from tl_jax.run.plan.types import Planning, Setup, Task
from tl_jax.run.report.table import Table
from tl_jax.run.settings.config import Config
from tl_jax.run.store.rundir import RunDirectory
from tl_jax.training.state import State
from tl_jax.training.trials import Programs

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Arrays = Mapping[str, np.ndarray]
Records = Sequence[Mapping[str, Any]]


class Kind(NamedTuple):
    """From a config to a plan, and from a trained state to results.

    question: what it answers, in one line; defaults: the config of its script without flags; methods: by name, those
    that it can train; planning: what it decides before anything is trained.
    observe(task, programs, states) -> what is stored at every evaluation, [T, ...] each, without labels.
    score(task, observed) -> {metric: one value a trial}, for the learning curves.
    features(task, programs, states) -> what is stored at the end of a job, for the figures.
    results(task, directory) -> one record a trial of a finished job, as in results.json.
    table(setup, records, {job: why it is not finished}) -> the table.
    figures(setup, directory, records) -> {file name: drawn when called}.
    keep(task, directory, states): write what outlives a job besides its records.
    write(setup, directory): other files of a run, from what is stored of the finished jobs.
    baselines(setup) -> records of what needs no network, as in baselines.json; beneath(setup, table, baselines) -> the
    table with their rows.
    criterion(task, observed) -> what the config's criterion says of every trial at one evaluation, without a target
    label unless it is of those: None of one that it refuses.
    """

    question: str
    defaults: Config
    methods: Mapping[str, Callable[..., Method]]
    planning: Planning
    observe: Callable[[Task, Programs, State], Arrays]
    score: Callable[[Task, Arrays], Mapping[str, Sequence[float | None]]]
    features: Callable[[Task, Programs, State], Arrays]
    results: Callable[[Task, RunDirectory], list[dict[str, Any]]]
    table: Callable[[Setup, Records, Mapping[str, str]], Table]
    figures: Callable[[Setup, RunDirectory, Records], Mapping[str, Callable[[], "Figure"]]]
    keep: Callable[[Task, RunDirectory, State], None] = lambda task, directory, states: None
    write: Callable[[Setup, RunDirectory], None] = lambda setup, directory: None
    baselines: Callable[[Setup], list[dict[str, Any]]] = lambda setup: []
    beneath: Callable[[Setup, Table, Records], Table] = lambda setup, table, baselines: table
    criterion: Callable[[Task, Arrays], list[float | None]] | None = None
