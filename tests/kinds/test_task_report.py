"""The table of a multi-task run: what Delta_m compares, what is averaged, who is said to lose."""

import statistics

import numpy as np

from tl_jax.kinds.multitask import table as task_report
from tl_jax.run.settings.config import Config

CONFIG: Config = Config(kind="multitask", source=("a", "v"), target="", seeds=(0, 1))


def record(method, seed, task="", **last):
    values = {name.replace("_", "/"): value for name, value in last.items()}
    alone = {"task": task} if task else {}
    selectors = {"last": {"step": 5, **values}}
    return {"method": method, "seed": seed, "values": {"lr": 0.1}, "selectors": selectors, **alone}


RECORDS = [
    *(record("single", s, "a", a_accuracy=acc) for s, acc in enumerate((0.7, 0.9))),
    *(record("single", s, "v", v_r2=0.5, v_rmse=2.0, v_mae=1.0) for s in range(2)),
    *(record("equal", s, a_accuracy=acc, v_r2=0.4, v_rmse=3.0, v_mae=1.0) for s, acc in enumerate((0.8, 0.96))),
]


def cells(method, config=CONFIG, records=RECORDS):
    head, *body = task_report.table(config, records, {}).cells
    return dict(zip(head, next(row for row in body if row[0] == method), strict=True))


def test_models_of_single_tasks_are_one_row_and_the_baseline():
    row = cells("single")
    assert row["a accuracy"] == f"0.800 ± {statistics.stdev([0.7, 0.9]):.3f}"
    assert row["v r2"] == "0.500 ± 0.000"
    assert row[""] == "baseline: every task alone"


def test_both_deltas_against_the_mean_of_the_baseline():
    # Gains in percent by seed: accuracy 0 and 20; RMSE -50, MAE 0.
    metrics = [-np.mean([gain, -50, 0]) for gain in (0, 20)]
    tasks = [np.mean([gain, np.mean([-50, 0])]) for gain in (0, 20)]
    row = cells("equal")
    assert row["Δm % (lower is better)"] == f"{np.mean(metrics):+.2f} ± {np.std(metrics, ddof=1):.2f}"
    assert row["Δp % (higher is better)"] == f"{np.mean(tasks):+.2f} ± {np.std(tasks, ddof=1):.2f}"
    assert row[""] == "loses: v -25.0 %"


def test_without_a_baseline_there_is_no_delta():
    row = cells("equal", records=RECORDS[4:])
    assert row["Δm % (lower is better)"] == "-"
    assert row[""] == "no single-task baseline in this run"


def test_unfinished_strategies_are_named():
    assert task_report.table(CONFIG, RECORDS, {"famo": "stopped"}).cells[-1] == ["famo", "-", "-", "-", "-", "stopped"]


def test_many_tasks_are_averaged():
    names = [f"t{i}" for i in range(10)]
    config = Config(kind="multitask", source=tuple(names), target="", seeds=(0,))
    single = [record("single", 0, n, **{f"{n}_accuracy": 0.5}) for n in names]
    many = [record("equal", 0, **{f"{n}_accuracy": 0.4 if n == "t3" else 0.6 for n in names})]
    row = cells("equal", config, single + many)
    assert row["mean of 10 tasks"] == "0.580"
    assert row[""] == "1 of 10 tasks lose"
