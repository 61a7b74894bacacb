"""Open-set scores against straight-line NumPy, and their edges."""

import numpy as np
import pytest

from tl_jax.evaluation.open_set import open_set, rejected


def test_scores_are_those_of_the_formulae():
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(200, 4)) * 3, rng.integers(0, 5, 200)
    right, total, found, unknown = np.zeros(4), np.zeros(4), 0, 0
    for row, label in zip(z, y, strict=True):
        p = np.exp(row) / np.exp(row).sum()
        away = -(p * np.log(p)).sum() > np.log(4) / 2
        if label == 4:
            unknown, found = unknown + 1, found + away
        else:
            total[label] += 1
            right[label] += not away and row.argmax() == label
    scores = open_set(z, y)
    os_star, recall = (right / total).mean(), found / unknown
    assert scores["os_star"] == pytest.approx(os_star)
    assert scores["unknown_recall"] == pytest.approx(recall)
    assert scores["hos"] == pytest.approx(2 * os_star * recall / (os_star + recall))
    assert 0 < scores["hos"] < 1


def test_a_rule_of_the_method_s_own_goes_before_the_entropy():
    sure, unknown = np.eye(3)[[0, 1, 2, 2]] * 50, np.array([-1.0, 0.0, 2.0, np.nan])
    np.testing.assert_array_equal(rejected(sure, unknown), [False, False, True, True])
    assert open_set(sure, np.array([0, 1, 2, 3]), unknown) == {"os_star": 2 / 3, "unknown_recall": 1.0, "hos": 0.8}


def test_what_has_no_example_has_no_score():
    sure = np.eye(3) * 50
    assert open_set(sure, np.arange(3)) == {"os_star": 1.0}
    assert open_set(sure, np.full(3, 3)) == {"unknown_recall": 0.0}
    assert open_set(np.vstack([np.zeros(3), sure[:1]]), np.array([0, 3])) == {
        "os_star": 0.0,
        "unknown_recall": 0.0,
        "hos": 0.0,
    }


def test_a_nan_is_rejected_and_wrong_shapes_are_refused():
    np.testing.assert_array_equal(rejected(np.array([[np.nan, 0], [0, 0], [0, 50.0]])), [True, True, False])
    with pytest.raises(ValueError, match=r"y \[m\] in 0\.\.K"):
        open_set(np.zeros((2, 3)), np.array([0, 4]))
