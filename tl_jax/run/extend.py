"""More methods, seeds or swept values, or another criterion, of what a finished run has trained: --extend=RUN.

A job with the same trials is copied. One with others beside them trains those alone, apart, and both are laid together
as if they had been trained at once: records, metrics, and the state of the last step.
"""

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np

from tl_jax.core.errors import UserError
from tl_jax.core.files import write_atomically
from tl_jax.core.processes import here, several
from tl_jax.core.sealed import opened
from tl_jax.evaluation.label_free.criteria import needs_features, needs_mixtures
from tl_jax.run.conclude import FINISHED
from tl_jax.run.finished import config_of, kept
from tl_jax.run.plan.types import Setup, Task
from tl_jax.run.settings.config import TARGET_VAL, Config
from tl_jax.run.store.checkpoints import CHECKPOINTS, Checkpoints
from tl_jax.run.store.chosen import Chosen
from tl_jax.run.store.claim import CONTENTS, MAY_DIFFER
from tl_jax.run.store.contents import changes, contents
from tl_jax.run.store.names import slug
from tl_jax.run.store.rundir import BESIDE, MARKS, RunDirectory
from tl_jax.training.state import State

APART = "more"
"""The folder of a run in which the trials of a job that are new are trained, until they are laid beside the others."""
Train = Callable[[RunDirectory, Task, Any], State]


def donor(setup: Setup, root: Path, opening: Callable[[Config], Setup]) -> "Donor | None":
    """The run that --extend names; None where none is, or where nothing is left to train. opening(its config) -> setup.

    Raises UserError for a run of other numbers, of other data, or without what is asked for.
    """
    if not setup.options.extend or (root / FINISHED).exists():
        return None
    place = Path(setup.options.extend).expanduser()
    if several() or place.absolute() == root.absolute():
        raise UserError(f"--extend={place}: it is of one process, and another directory than the run that is extended.")
    theirs = config_of(place)
    before = opening(theirs)
    _check(place, setup, before.config)
    parts = {part.job.name: part for task in before.tasks for part in (task, task.start) if part}
    return Donor(RunDirectory(place), parts)


def _check(place: Path, setup: Setup, theirs: Config) -> None:
    ours, name = setup.config, f"--extend={place}"
    other = [f.name for f in fields(Config) if getattr(ours, f.name) != getattr(theirs, f.name)]
    if wrong := [f"{n}={getattr(theirs, n)} (now {getattr(ours, n)})" for n in other if n not in MAY_DIFFER]:
        raise UserError(
            f"{name} was made with {', '.join(wrong)}: its numbers are of another run. What may differ: "
            f"{', '.join(MAY_DIFFER)}."
        )
    if ours.strategies and ours.methods != theirs.methods:
        raise UserError(
            f"{name}: with strategies the methods stay as they are; there may be more strategies and seeds."
        )
    if ours.seeds[0] != theirs.seeds[0]:
        raise UserError(f"{name}: its seeds begin with {theirs.seeds[0]}, and these have to, too.")
    if ours.select != theirs.select:
        needs = {"features": needs_features, "predictions of mixtures": needs_mixtures}
        lacks = " or ".join(what for what, of in needs.items() if of(ours.select) and not of(theirs.select))
        lacks = "predictions of the target's training examples" if theirs.select == TARGET_VAL else lacks
        if lacks:
            raise UserError(f"{name}: it was made with --select={theirs.select} and keeps no {lacks}.")
    try:
        was = opened((place / CONTENTS).read_bytes())
    except (OSError, ValueError):
        raise UserError(f"{name}: {CONTENTS} is lost or damaged, so of which data it is cannot be said.") from None
    now, of = contents(setup), was["made"]
    shared = {file: code for file, code in now["code"].items() if file in of["code"]}
    changed = changes({**of, "code": {file: of["code"][file] for file in shared}}, {**now, "code": shared})
    if changed or was["accepted"]:
        raise UserError(f"{name} is of other contents than there are now: {'; '.join(changed or was['accepted'])}.")


@dataclass(frozen=True)
class Donor:
    """A run that gives what it has trained: its directory, and its jobs by name, the hidden ones too."""

    directory: RunDirectory
    parts: Mapping[str, Task]

    def copied(self, setup: Setup, directory: RunDirectory) -> list[str]:
        """Copy the jobs whose trials are the same and of which nothing is there yet; their names."""
        parts = {part.job.name: part for task in setup.tasks for part in (task.start, task) if part}
        same = [name for name, part in parts.items() if self._whole(part, hidden=False) and self._same(part)]
        hidden = {task.start.job.name for task in setup.tasks if task.start and task.job.name in same}
        for name in (*hidden, *same):
            if directory.manifest(name).empty and (name in same or self._same(parts[name])):
                _copy(self.directory, directory, name)
        return same

    def grow(self, directory: RunDirectory, task: Task, model: Any, train: Train) -> None:
        """Where a part of a job's trials is there, train the others and lay both together in the directory.

        model: what all its trials begin from; train(directory, task, model) -> the states of the last step.
        """
        job, steps = task.job, task.job.steps
        if Checkpoints(directory.root, job.name).last_step() or not self._whole(task, hidden=True):
            return
        theirs = self.parts[job.name]
        had = {trial: i for i, trial in enumerate(theirs.job.trials)}
        rest = [i for i, trial in enumerate(job.trials) if trial not in had]
        rows = lambda part: None if part.rows is None else part.rows.shape[1]
        if len(rest) == len(job.trials) or rows(theirs) != rows(task):
            return
        there = task._replace(job=replace(job, trials=theirs.job.trials), rows=theirs.rows)
        before = kept(self.directory.root, there, _like(model, len(had)))[1]
        apart, states, run = RunDirectory(directory.root / APART), [before], [(self.directory, job.name)]
        if rest:
            few = task._replace(
                job=replace(job, trials=tuple(job.trials[i] for i in rest)),
                rows=None if task.rows is None else task.rows[np.array(rest)],
            )
            states.append(here(train(apart, few, jax.tree.map(lambda x: x[np.array(rest)], model))))
            run.append((apart, job.name))
        # Trial by trial in the order of the job: from what was there, or from what is new.
        new = {job.trials[i]: len(had) + n for n, i in enumerate(rest)}
        order = np.array([(had | new)[trial] for trial in job.trials])
        directory.begin_again(job.name, 0)
        directory.begin(job.name, self.directory.manifest(job.name).mode or "map")
        lay = partial(_laid, order)
        for step in task.evaluations:
            arrays = [of.record(name, step) for of, name in run]
            arrays = [_marked(one, (len(had), len(rest))[i]) for i, one in enumerate(arrays)]
            both = [key for key in arrays[-1] if key in arrays[0]]
            record = {key: lay(*(one[key] for one in arrays)) for key in both}
            record = record if any(record[MARKS]) else {key: x for key, x in record.items() if key != MARKS}
            directory.keep_record(job.name, step, record, _lines(run, step, job.trials))
        chosen = [Chosen(of.root, name).arrays() for of, name in run]
        if all(one and one.keys() == chosen[0].keys() for one in chosen):
            Chosen(directory.root, job.name).write({k: lay(*(one[k] for one in chosen)) for k in chosen[0]})
        saved = Checkpoints(directory.root, job.name)
        saved.save(steps, jax.tree.map(lay, *states))
        saved.close()
        shutil.rmtree(directory.root / APART, ignore_errors=True)

    def _same(self, task: Task) -> bool:
        return task.job.trials == self.parts[task.job.name].job.trials

    def _whole(self, task: Task, hidden: bool) -> bool:
        """Whether all of a job that is needed is there: what it leaves at its end, or the state of its last step."""
        name, steps = task.job.name, task.job.steps
        if name not in self.parts or self.parts[name].job.steps != steps:
            return False
        if not hidden:
            return not self.directory.lost(name, task.evaluations)
        there = all(self.directory.record(name, step) for step in task.evaluations)
        return there and Checkpoints(self.directory.root, name, read_only=True).last_whole() == steps


def _copy(of: RunDirectory, to: RunDirectory, job: str) -> None:
    """A job's checkpoints, files and lines; the manifest last, without which nothing of it counts."""
    manifest, folder = of.manifest(job), Path(CHECKPOINTS) / slug(job)
    to.begin_again(job, -1)
    if (of.root / folder).is_dir():
        shutil.copytree(of.root / folder, to.root / folder, dirs_exist_ok=True)
    if kept := Chosen(of.root, job).arrays():
        Chosen(to.root, job).write(kept)
    for name in manifest.files:
        if (content := manifest.read(name)) is not None:
            write_atomically(
                to.root / name.removeprefix(BESIDE) if name.startswith(BESIDE) else to.folder(job) / name, content
            )
    to.add_metrics(manifest.lines())
    write_atomically(to.folder(job) / manifest.path.name, manifest.path.read_bytes())


def _like(model: Any, trials: int) -> Any:
    """A model [T, ...] of as many trials, for its shapes alone."""
    return jax.tree.map(lambda x: np.zeros((trials, *x.shape[1:]), x.dtype), model)


def _laid(order: np.ndarray, *parts: Any) -> np.ndarray:
    """Arrays [a, ...] and [b, ...] as one, whose first axis is in this order."""
    return np.concatenate([np.asarray(part) for part in parts])[order]


def _marked(record: Mapping[str, np.ndarray], trials: int) -> dict[str, np.ndarray]:
    return {MARKS: np.array([""] * trials), **record}


def _lines(run: Sequence[tuple[RunDirectory, str]], step: int, trials: Sequence[tuple]) -> list[Mapping[str, Any]]:
    """The lines of metrics.jsonl of an evaluation, in the order of the trials."""
    found = [line for of, job in run for line in of.manifest(job).files[of.record_path(job, step).name]["lines"]]
    by = {(line["seed"], tuple(line["values"].items())): line for line in found}
    return [by[trial] for trial in trials if trial in by]
