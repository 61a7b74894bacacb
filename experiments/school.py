"""School: exam scores in 139 schools, one network for all against ridge regression for each and for all together.

    TL_JAX_DATA=DIR python -m experiments.school        # about a minute on two cores; writes the page below

139 regression tasks on 28 features, of which a row has the label of its own school alone. The splits are those of
the domains school/1 to school/139 (70 / 10 / 20 % of each school). Explained variance is
1 - sum of squared errors / sum of squares about the mean, over the test rows of all schools, as in Bakker & Heskes
2003 and Evgeniou et al. 2005. Ridge regression has an unpenalised constant and its penalty is chosen on the
validation rows.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from experiments.page import finished, script, write
from tl_jax import Domain, Examples, fit_tasks
from tl_jax.data.load import load

COUNT = 139
STRATEGIES = ("equal", "uncertainty", "famo")
STEPS = 600
PENALTIES = tuple(10.0**k for k in range(-2, 6))
PAGE = Path("docs/results/school.md")
COMMAND = "TL_JAX_DATA=DIR python -m experiments.school"


def schools() -> list[Domain]:
    """Each school as a task on the rows of all: labels of the others are missing."""
    parts = [load(f"school/{k}") for k in range(1, COUNT + 1)]
    split = {}
    for name in ("train", "validation", "test"):
        x = np.concatenate([part.splits[name].x for part in parts])
        split[name] = x, np.repeat(np.arange(COUNT), [len(part.splits[name].y) for part in parts])
    mean, spread = split["train"][0].mean(0), split["train"][0].std(0)
    scaled = {n: ((x - mean) / np.where(spread > 0, spread, 1)).astype(np.float32) for n, (x, _) in split.items()}
    tasks = []
    for k, part in enumerate(parts):
        found = []
        for name, (_, school) in split.items():
            y = np.full(len(school), np.nan, np.float32)
            y[school == k] = part.splits[name].y
            found.append(Examples(scaled[name], y))
        tasks.append(Domain(part.name, (), *found, modality="vector"))
    return tasks


def explained(errors: float, tasks: list[Domain]) -> float:
    """Explained variance over all test rows, of a sum of squared errors."""
    y = np.concatenate([task.test.y[~np.isnan(task.test.y)] for task in tasks]).astype(float)
    return 1 - errors / float(np.square(y - y.mean()).sum())


def ridge(groups: list[list[Domain]]) -> float:
    """Sum of squared test errors of one ridge regression a group of schools."""
    errors = 0.0
    for group in groups:
        parts = [_rows(group, name) for name in ("train", "validation", "test")]
        (x, y), held, test = parts
        fits = [_fit(x, y, penalty) for penalty in PENALTIES]
        best = min(fits, key=lambda w: _squares(w, *held))
        errors += _squares(best, *test)
    return errors


def _rows(group: list[Domain], name: str) -> tuple[np.ndarray, np.ndarray]:
    known = [(part.x[~np.isnan(part.y)], part.y[~np.isnan(part.y)]) for part in (task.splits[name] for task in group)]
    x, y = (np.concatenate(arrays).astype(float) for arrays in zip(*known, strict=True))
    return x, y


def _fit(x: np.ndarray, y: np.ndarray, penalty: float) -> np.ndarray:
    center, mean = x.mean(0), y.mean()
    w = np.linalg.solve((x - center).T @ (x - center) + penalty * np.eye(x.shape[1]), (x - center).T @ (y - mean))
    return np.append(w, mean - center @ w)


def _squares(w: np.ndarray, x: np.ndarray, y: np.ndarray) -> float:
    return float(np.square(x @ w[:-1] + w[-1] - y).sum())


def of_records(records: list[dict[str, Any]], tasks: list[Domain]) -> Mapping[str, list[float]]:
    """{strategy: explained variance of each seed}, from every school's RMSE."""
    sizes = {task.name: int((~np.isnan(task.test.y)).sum()) for task in tasks}
    errors: dict[tuple[str, int], float] = {}
    for record in records:
        last, key = record["selectors"]["last"], (record["method"], record["seed"])
        squares = sum(n * last[f"{name}/rmse"] ** 2 for name, n in sizes.items() if f"{name}/rmse" in last)
        errors[key] = errors.get(key, 0.0) + squares
    found: dict[str, list[float]] = {}
    for (method, _), total in errors.items():
        found.setdefault(method, []).append(explained(total, tasks))
    return found


def main() -> None:
    """Run (or resume) and write the page."""
    tasks = schools()
    result = fit_tasks(
        tasks,
        STRATEGIES,
        seeds=3,
        network="mlp(bottleneck=0, hidden=(16,), dropout=0.0)",
        steps=STEPS,
        lr=0.01,
        batch_size=1024,
        eval_every=200,
        forward_plan="joint",
        run_dir="runs/school",
    )
    records = finished(result).records
    lines = ["| method | explained variance |", "| --- | --- |"]
    lines += [f"| ridge, each school its own | {explained(ridge([[task] for task in tasks]), tasks):.3f} |"]
    lines += [f"| ridge, all schools together | {explained(ridge([tasks]), tasks):.3f} |"]
    for method, values in of_records(records, tasks).items():
        lines += [f"| network, {method} | {np.mean(values):.3f} ± {np.std(values, ddof=1):.3f} |"]
    note = (
        "Test rows of 139 schools, one split; ± is the sample standard deviation over 3 seeds of the network. Network "
        f"mlp(bottleneck=0, hidden=(16,), dropout=0.0), one linear head a school, {STEPS} steps of 1024 rows, of which "
        "a school has about 7, AdamW at 0.01; nothing was tuned. Ridge regression chooses its penalty."
    )
    write(PAGE, "School", COMMAND, "\n\n" + "\n".join(lines) + f"\n\n{note}\n")


if __name__ == "__main__":
    script(main)
