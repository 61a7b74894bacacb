"""Both definitions of Delta_m on published rows, where they disagree in sign."""

import pytest

from tl_jax.core.errors import UserError
from tl_jax.evaluation.multitask import Score, delta_metrics, delta_tasks, gain, losing_tasks, task_gains

NAMES = [
    ("segmentation", "miou", True),
    ("segmentation", "accuracy", True),
    ("depth", "absolute", False),
    ("depth", "relative", False),
    ("normals", "mean", False),
    ("normals", "median", False),
    ("normals", "within 11.25", True),
    ("normals", "within 22.5", True),
    ("normals", "within 30", True),
]
SINGLE = [38.30, 63.76, 0.6754, 0.2780, 25.01, 19.21, 30.14, 57.20, 69.15]
SUM = [39.29, 65.33, 0.5493, 0.2263, 28.15, 23.96, 22.09, 47.50, 61.08]
"""NYUv2 with SegNet-MTAN: single-task models and the plain sum, Navon et al. 2022, table 2."""


def scores(values, baseline=SINGLE):
    return [Score(task, name, v, b, h) for (task, name, h), v, b in zip(NAMES, values, baseline, strict=True)]


def test_published_rows_by_both_definitions():
    """The same row is 5.6 % worse than single-task models by one definition and 0.9 % better by the other."""
    assert delta_metrics(scores(SUM)) == pytest.approx(5.59, abs=0.01)
    assert delta_tasks(scores(SUM)) == pytest.approx(0.88, abs=0.01)


def test_signs_and_the_tasks_that_lose():
    assert losing_tasks(scores(SUM)) == ["normals"]
    assert list(task_gains(scores(SUM))) == ["segmentation", "depth", "normals"]
    assert gain(Score("a", "error", 0.5, 1.0, False)) == pytest.approx(50)
    assert gain(Score("a", "accuracy", 0.5, 1.0, True)) == pytest.approx(-50)
    assert gain(Score("a", "log-likelihood", -1.0, -2.0, True)) == pytest.approx(50)


def test_the_baseline_against_itself_is_zero_and_one_metric_a_task_makes_them_opposites():
    assert delta_metrics(scores(SINGLE)) == delta_tasks(scores(SINGLE)) == 0
    one_each = [scores(SUM)[i] for i in (0, 2, 4)]
    assert delta_metrics(one_each) == pytest.approx(-delta_tasks(one_each))


def test_mistakes_are_named():
    with pytest.raises(UserError, match="a/error: the baseline is 0"):
        delta_tasks([Score("a", "error", 1.0, 0.0, False)])
    with pytest.raises(UserError, match="no scores"):
        delta_metrics([])
