"""predictions.csv: what every job of a run predicts of every example of its target, at its last step."""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from tl_jax.core.types import Output
from tl_jax.data.domain import Domain
from tl_jax.evaluation.metrics import log_softmax, predictions
from tl_jax.evaluation.open_set import rejected
from tl_jax.kinds.predicting.table import is_open
from tl_jax.run.execute import divergence
from tl_jax.run.plan.problem import Problem
from tl_jax.run.plan.types import Setup, Task
from tl_jax.run.store.rundir import RunDirectory, bring
from tl_jax.training.state import State
from tl_jax.training.trials import Programs, predict_all

NAME = "predictions.csv"
FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""How a cell begins that a spreadsheet would compute."""


def everything(task: Task, programs: Programs, states: State) -> dict[str, np.ndarray]:
    """What is predicted of each split: {"predicted/train/class" int32 [T, n], "predicted/train/probability", ...}.

    "unknown" bool [T, n] where an open label space is rejected; of values "value" [T, n] alone.
    """
    found = {}
    for split, part in task.problem.target.splits.items():
        out = predict_all(programs, states, part.x, "target")
        said = columns(task.problem, np.asarray(out.logits, np.float32))
        if is_open(task.config) and not task.problem.values:
            said["unknown"] = unknowns(out)
        found |= {f"predicted/{split}/{name}": column for name, column in said.items()}
    return found


def columns(problem: Problem, outputs: np.ndarray) -> dict[str, np.ndarray]:
    """Outputs [T, n, c] in the words of the table."""
    if problem.values:
        center, scale = problem.units
        return {"value": center + scale * outputs[..., 0].astype(np.float64)}
    probability = np.exp(log_softmax(outputs).max(-1)).astype(np.float32)
    return {"class": predictions(outputs).astype(np.int32), "probability": probability}


def unknowns(out: Output) -> np.ndarray:
    """Which of the examples of every trial are called unknown: bool [T, n] of logits [T, n, c] and unknown [T, n]."""
    logits, own = np.asarray(out.logits), None if out.unknown is None else np.asarray(out.unknown)
    return np.stack([rejected(z, None if own is None else own[i]) for i, z in enumerate(logits)])


def write(setup: Setup, directory: RunDirectory) -> None:
    """The file, of the jobs that are finished and their trials that stayed finite; none if no job is."""
    swept = [name for name, _ in setup.config.swept]
    kept = {}
    for task in setup.tasks:
        arrays = directory.features(task.job.name)
        if any(name.startswith("predicted/") for name in arrays):
            kept[task.job.name] = task, arrays
    if not kept:
        return
    shown = _names(next(iter(kept.values()))[1])
    text = io.StringIO()
    sheet = csv.writer(text, lineterminator="\n")
    sheet.writerow(["method", "seed", *swept, "step", "split", "example", *shown])
    for task, arrays in kept.values():
        last = directory.record(task.job.name, task.job.steps)
        for i, (seed, values) in enumerate(task.job.trials):
            if divergence.described(last, i):
                continue
            about = [task.job.name, seed, *(f"{dict(values)[n]:g}" if n in dict(values) else "" for n in swept)]
            for split in setup.problem.target.splits:
                rows = _rows(setup.problem.target, split, {n: arrays[f"predicted/{split}/{n}"][i] for n in shown})
                sheet.writerows([*about, task.job.steps, split, *row] for row in rows)
    # A file name that is not Unicode is written with its bytes as \udc..: any reader opens the file.
    bring(directory.root / NAME, text.getvalue().encode("utf-8", "backslashreplace"))


def _names(arrays: Mapping[str, np.ndarray]) -> list[str]:
    return [name.removeprefix("predicted/test/") for name in arrays if name.startswith("predicted/test/")]


def _rows(target: Domain, split: str, found: Mapping[str, np.ndarray]) -> Iterator[tuple[Any, ...]]:
    """The example's name (its row number where it has none) and what is predicted of it."""
    names = target.ids.get(split, ())
    size = len(next(iter(found.values())))
    called = [plain(name) for name in names] if len(names) == size else range(size)
    return zip(called, *texts(found, target.classes).values(), strict=True)


def texts(found: Mapping[str, np.ndarray], classes: Sequence[str]) -> dict[str, list[str]]:
    """Columns [n] as cells of a table; of a prediction that is not a number (-1) the class is empty."""
    named = [*map(plain, classes), ""]
    text = {
        "class": lambda x: [named[c] for c in x],
        "unknown": lambda x: ["yes" if no else "no" for no in x],
        "value": lambda x: [f"{v:.8g}" for v in x],
    }
    shares = lambda x: [f"{p:.6f}" for p in x]
    return {name: text.get(name, shares)(column.tolist()) for name, column in found.items()}


def plain(name: Any) -> str:
    """A name that no spreadsheet takes for a formula: an apostrophe before one, numbers as they are."""
    text = str(name)
    if not text.startswith(FORMULA):
        return text
    try:
        float(text)
    except ValueError:
        return f"'{text}"
    return text
