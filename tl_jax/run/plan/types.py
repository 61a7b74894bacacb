"""The values that a run is planned with: options, what a kind of transfer decides, a config that has met its data."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
import numpy as np

from tl_jax.core.processes import FORM
from tl_jax.data.domain import Domain
from tl_jax.run.plan.jobs import Job
from tl_jax.run.plan.problem import Problem
from tl_jax.run.plan.weights import Weights
from tl_jax.run.settings.config import Config
from tl_jax.run.settings.settings import setting
from tl_jax.training.freezing import Rule
from tl_jax.training.state import Data, Start
from tl_jax.training.trials import starts

MODES = ("auto", "vmap", "map")
"""Ways to run trials: as measured, at once, one after the other."""


KEPT = ("all", "records")
LOGS = ("none", "tensorboard")


@dataclass(frozen=True)
class Options:
    """Where a run lies and how it is executed; its numbers are the same."""

    run_dir: str = setting(
        "", "Where the run is kept and resumed. Default: a directory under runs/ named by the configuration."
    )
    data_dir: str = setting("", "Folder of the data sets that are not embedded.")
    devices: int = setting(0, "How many devices to use, of each process; 0 is all.")
    distributed: str = setting(
        "", f"Be one of several processes of one run, as on several hosts, each with the same line: {FORM}."
    )
    trials: str = setting(
        "auto",
        "Trials at once (vmap), one after the other (map), or as measured on this machine (auto).",
        choices=MODES,
        word="way to run trials:",
    )
    quiet: bool = setting(False, "Print nothing but what goes wrong.")
    device_bytes: int = setting(
        0, "Training sets that take more bytes stream; 0 is half of the device's memory.", most=(1 << 63) - 1
    )
    workers: int = setting(0, "Processes that read what streams; 0 reads in threads.")
    accept_changes: bool = setting(
        False, "Go on with a run whose data, weights or code have changed; its records say so."
    )
    agreed: str = setting("", "Folder in which the runs of a sweep agree how trials run, by their shape.", flag="")
    until: int = setting(0, "Hold the run at this evaluation, as a stop there would; 0: go to its end.", flag="")
    pictures: bool = setting(True, "Draw the pictures of a finished run.")
    log: str = setting(
        "none",
        "Where metrics go while it runs, besides metrics.jsonl: {choices} (RUN/tensorboard, a folder a trial).",
        choices=LOGS,
        word="way to log:",
    )
    extend: str = setting(
        "",
        "A run of the same settings that has some of these methods, strategies, seeds or swept values, or was chosen "
        "from by another criterion: what it has is taken over, not trained again.",
    )
    keep: str = setting(
        "all",
        "What stays of a finished run; records: no checkpoints, so that nothing is predicted or exported from it.",
        choices=KEPT,
        word="way to keep a run:",
    )


class Part(NamedTuple):
    """A job with the config and the problem as it sees them; before: the problem of the job that trains the model it
    begins from (None: the same); loaded: the parameters that weights of a file give (None: there is none)."""

    config: Config
    problem: Problem
    job: Job
    before: Problem | None = None
    loaded: frozenset[str] | None = None


class Plan(NamedTuple):
    """What a kind of transfer makes of a config and its domains.

    config: with what `auto` stands for; problem: of the whole run; notes: what the config asked for by default and the
    data do not allow, in words.
    """

    config: Config
    problem: Problem
    parts: list[Part]
    notes: tuple[str, ...] = ()


class Planning(NamedTuple):
    """What a kind of transfer decides before anything is trained.

    plan(config, read) -> Plan, where read(spec) -> Domain; check(config): raises UserError for settings that make no
    sense to it, before any domain is read.
    networks: {modality: what --network=auto stands for} where it is not the usual one;
    without: fields of Config that say nothing to it; criteria: of selection, that it has besides the label-free ones.
    pair: whether it goes from sources to a target; new_head: whether the head is never that of --init_from.
    """

    plan: Callable[[Config, Callable[[str], Domain]], Plan]
    check: Callable[[Config], None] = lambda config: None
    without: tuple[str, ...] = ()
    networks: Mapping[str, str] = MappingProxyType({})
    criteria: tuple[str, ...] = ()
    pair: bool = True
    new_head: bool = False


class Task(NamedTuple):
    """A job with the problem as it sees it.

    shapes: {path: shape of a parameter}; rules: the freezing rules in force; rows: labelled rows of the
    target by trial [T, L], or None for all; start: the task that trains the model this one begins from; new: the
    parameters that this model, or a file, does not give (None: it begins from nothing).
    """

    job: Job
    config: Config
    problem: Problem
    shapes: dict[str, jax.ShapeDtypeStruct]
    rules: tuple[Rule, ...]
    rows: np.ndarray | None
    start: "Task | None"
    new: tuple[str, ...] | None = None

    @property
    def data(self) -> Data:
        """The arrays it trains on, still on the host."""
        if self.job.method.labels == "none":
            return self.problem.unlabelled(self.config.pretrain_on)
        return self.problem.training(self.job.method, self.rows is not None, self.config.balanced)

    @property
    def every(self) -> int:
        """Steps between evaluations: as the config says, or a tenth of the job."""
        return self.config.eval_every or max(1, self.job.steps // 10)

    @property
    def evaluations(self) -> list[int]:
        """The steps at which it is evaluated."""
        return [*range(self.every, self.job.steps, self.every), self.job.steps]

    def starts(self, model: Any = None) -> Start:
        """Where its trials begin; model: stacked (params, stats) or None."""
        return starts(self.job.trials, model, self.rows)


class Setup(NamedTuple):
    """A checked config with its problem, its tasks and the weights of --init_from.

    notes: what the config asked for by default and the data do not allow, in words.
    """

    config: Config
    options: Options
    problem: Problem
    tasks: list[Task]
    weights: Weights | None
    notes: tuple[str, ...] = ()

    @property
    def footnote(self) -> str:
        """The notes as a table has them behind its own."""
        return "".join(f" {note}" for note in self.notes)
