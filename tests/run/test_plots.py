"""Learning curves: what is one line, and what the panels are called."""

import numpy as np

from tl_jax.balancing.tasks import TaskHead
from tl_jax.kinds.multitask import plots as task_plots
from tl_jax.run.report import plots

LINES = [
    {"job": job, "step": step, "seed": seed, "values": {"lr": 0.1, "lam": lam}, "target/accuracy": lam, "source": 1.0}
    for job, swept in (("dann", (0.1, 1.0)), ("target_only", (1.0,)))
    for lam in swept
    for seed in (0, 1)
    for step in (2, 4)
]
OWNERS = {"dann": "the source", "target_only": "the target"}


def labels(figure) -> list[str]:
    return [line.get_label() for line in figure.axes[0].get_lines()]


def test_swept_values_are_lines_of_their_own_and_seeds_are_one():
    figure = plots.curves(LINES, list(OWNERS), plots.panels("accuracy", OWNERS))
    assert labels(figure) == ["dann, lam 0.1", "dann, lam 1", "target_only"]
    assert [np.asarray(line.get_ydata()).tolist() for line in figure.axes[0].get_lines()] == [
        [0.1, 0.1],
        [1.0, 1.0],
        [1.0, 1.0],
    ]


def test_the_loss_on_the_targets_labels_is_not_called_the_sources():
    title = lambda owners: plots.panels("accuracy", owners)[1][1]
    assert title({"dann": "the source"}) == "loss on the source's labels"
    assert title({"fine_tune": "the target"}) == "loss on the target's labels"
    assert title({"mcc": "the source", **OWNERS}) == "loss on the source's labels; target_only: the target's"


def test_curves_over_labels_and_of_tasks_keep_swept_values_apart():
    last = {"selectors": {"last": {"target/accuracy": 0.5}}}
    records = [
        {"method": "full", "values": {"lr": lr, "labels_per_class": n}, **last} for lr in (0.1, 0.2) for n in (1, 5)
    ]
    assert labels(plots.few_labels(records, "labels_per_class", "accuracy")) == ["full, lr 0.1", "full, lr 0.2"]
    lines = [{**line, "t/accuracy": 0.5} for line in LINES]
    head = TaskHead("t", "classes", ("a", "b", "c"), 0, 0, 0, 3, 0.0, 1.0)
    assert labels(task_plots.curves(lines, [head])) == ["dann, lam 0.1", "dann, lam 1", "target_only"]


def test_gains_are_over_the_single_model_of_the_same_swept_values():
    def record(method: str, lr: float, accuracy: float) -> dict:
        return {"method": method, "values": {"lr": lr}, "selectors": {"last": {"step": 2, "t/accuracy": accuracy}}}

    records = [
        record("single", 0.1, 0.5),
        record("single", 0.2, 0.8),
        record("equal", 0.1, 0.6),
        record("equal", 0.2, 0.8),
    ]
    head = TaskHead("t", "classes", ("a", "b", "c"), 0, 0, 0, 3, 0.0, 1.0)
    bars = [patch.get_bbox().height for patch in task_plots.relative(records, [head]).axes[0].patches]  # pyright: ignore
    assert [round(height, 6) for height in bars] == [20.0, 0.0]
