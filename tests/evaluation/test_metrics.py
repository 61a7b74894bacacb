"""Metrics against scikit-learn and straight-line NumPy."""

import json
import math

import hypothesis
import hypothesis.extra.numpy as npst
import hypothesis.strategies as st
import numpy as np
import pytest
import sklearn.metrics

from tl_jax.evaluation import metrics


def draw(m=200, c=5, seed=0, scale=2.0):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, c, m)
    return rng.normal(size=(m, c)) * scale + 2 * np.eye(c)[y], y


def test_they_are_scikit_learns():
    logits, y = draw()
    predicted = logits.argmax(1)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    found = metrics.evaluate(logits, y)
    expected = {
        "accuracy": sklearn.metrics.accuracy_score(y, predicted),
        "class_accuracy": sklearn.metrics.balanced_accuracy_score(y, predicted),
        "macro_f1": sklearn.metrics.f1_score(y, predicted, average="macro"),
        "nll": sklearn.metrics.log_loss(y, p),
    }
    assert {name: found[name] for name in expected} == pytest.approx(expected, rel=1e-9)


def test_classes_that_never_appear_are_left_out_and_predicted_ones_count_in_f1():
    y = np.array([0, 0, 1, 1])
    logits = np.eye(4)[[0, 2, 1, 1]]
    assert metrics.class_accuracy(logits, y) == pytest.approx((0.5 + 1) / 2)
    expected = sklearn.metrics.f1_score(y, [0, 2, 1, 1], average="macro")
    assert metrics.macro_f1(logits, y) == pytest.approx(expected)
    assert metrics.macro_f1(logits, y) == pytest.approx((2 / 3 + 1 + 0) / 3)


@pytest.mark.parametrize("bins", [1, 4, 15])
def test_calibration_error_is_its_equation(bins):
    logits, y = draw(seed=1)
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    expected = 0.0
    for b in range(bins):
        rows = [i for i in range(len(y)) if b / bins < p[i].max() <= (b + 1) / bins]
        if rows:
            hits = np.mean([p[i].argmax() == y[i] for i in rows])
            expected += len(rows) / len(y) * abs(hits - np.mean([p[i].max() for i in rows]))
    assert metrics.ece(logits, y, bins) == pytest.approx(expected, rel=1e-9)


def test_calibration_of_the_certain_and_of_the_ignorant():
    y = np.array([0, 1, 2, 3])
    certain = 1e4 * np.eye(4)
    assert metrics.ece(certain, y) == 0
    assert metrics.ece(certain[::-1], y) == 1
    assert metrics.ece(np.zeros((4, 4)), y) == pytest.approx(0)


def test_a_confidence_on_an_edge_belongs_to_the_bin_below():
    logits = np.array([[0.0, 0.0], [0.0, math.log(0.6 / 0.4)]])  # confidences .5, a hit, and .6, a miss
    assert metrics.ece(logits, [0, 0], 2) == pytest.approx((0.5 + 0.6) / 2)


@hypothesis.given(
    npst.arrays(np.float32, (7, 3), elements=st.floats(-1e4, 1e4, width=32)),
    npst.arrays(np.int32, 7, elements=st.integers(0, 2)),
    st.permutations(range(7)),
)
@hypothesis.settings(max_examples=80, deadline=None)
def test_bounds_and_the_order_of_rows(logits, y, order):
    found = metrics.evaluate(logits, y)
    assert all(type(value) is float for value in found.values())
    assert all(0 <= found[name] <= 1 + 1e-12 for name in set(found) - {"nll"})
    assert 0 <= found["nll"] <= 2e4 + 2
    assert metrics.evaluate(logits[order], y[order]) == pytest.approx(found, abs=1e-9)


def test_perfect_predictions_are_perfect_and_written_without_a_minus():
    y = np.arange(3)
    found = metrics.evaluate(1e4 * np.eye(3), y)
    assert json.dumps(found) == json.dumps(
        {"accuracy": 1.0, "class_accuracy": 1.0, "macro_f1": 1.0, "nll": 0.0, "ece": 0.0}
    )


def test_a_diverged_model_is_wrong_not_class_zero():
    logits = np.full((4, 3), np.nan)
    found = metrics.evaluate(logits, np.zeros(4, int))
    assert found["accuracy"] == found["class_accuracy"] == found["macro_f1"] == 0
    assert math.isnan(found["nll"])
    assert math.isnan(found["ece"])
    infinite = np.array([[np.inf, 0.0, 0.0]])
    assert metrics.accuracy(infinite, [0]) == 1
    assert math.isnan(metrics.nll(infinite, [0]))


def test_log_softmax_of_saturated_logits():
    found = metrics.log_softmax(np.array([[1e4, -1e4], [1e300, 1e300]], np.float64))
    np.testing.assert_allclose(found, [[0, -2e4], [-math.log(2)] * 2])


def test_jax_arrays_and_half_precision_are_welcome():
    jnp = pytest.importorskip("jax.numpy")
    logits, y = draw(8)
    expected = metrics.evaluate(logits.astype(np.float32), y)
    assert metrics.evaluate(jnp.asarray(logits, jnp.float32), jnp.asarray(y)) == pytest.approx(expected)
    half = jnp.asarray(logits, jnp.bfloat16)
    assert metrics.evaluate(half, y) == pytest.approx(metrics.evaluate(half.astype(jnp.float32), y))


@pytest.mark.parametrize(
    ("logits", "y", "message"),
    [
        (np.zeros((3, 2)), np.zeros(2, int), r"got \(3, 2\) and \(2,\)"),
        (np.zeros((3, 2)), np.zeros((3, 1), int), r"got \(3, 2\) and \(3, 1\)"),
        (np.zeros((0, 2)), np.zeros(0, int), "m >= 1"),
        (np.zeros((2, 31)), np.array([0, 64]), "labels run from 0 to 64, the logits have 31 classes"),
        (np.zeros((2, 31)), np.array([-1, 3]), "labels run from -1 to 3"),
    ],
)
def test_mistakes_are_named(logits, y, message):
    for metric in (metrics.accuracy, metrics.class_accuracy, metrics.macro_f1, metrics.nll, metrics.ece):
        with pytest.raises(ValueError, match=message):
            metric(logits, y)
