"""Losses against straight-line NumPy, and their properties."""

import math

import hypothesis
import hypothesis.extra.numpy as npst
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats
from samples import draw

from tl_jax.core.types import At, Labelling
from tl_jax.losses import classes as losses

N, C = 12, 5
AT = At(0, 0.0, 1.0, {}, jax.random.key(0))


pytestmark = pytest.mark.usefixtures("double")


def labels(seed=0, n=N, c=C):
    return np.random.default_rng(seed).integers(0, c, n)


def softmax(z):
    e = np.exp(z)
    return e / e.sum(1, keepdims=True)


# Values -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_cross_entropy_is_its_equation(smoothing):
    z, y = draw(0, N, C), labels()
    expected = []
    for row, label in zip(softmax(z), y, strict=True):
        q = [smoothing / C + (1 - smoothing) * (k == label) for k in range(C)]
        expected.append(-sum(q[k] * math.log(row[k]) for k in range(C)))
    np.testing.assert_allclose(losses.cross_entropies(z, y, smoothing), expected, rtol=1e-12)
    np.testing.assert_allclose(losses.cross_entropy(z, y, smoothing), np.mean(expected), rtol=1e-12)


@pytest.mark.parametrize("label", [-1, C, C + 3, -C])
def test_a_label_that_is_no_class_is_nan_and_only_there(label):
    y = labels()
    y[3] = label
    bad = np.isnan(losses.cross_entropies(draw(0, N, C), y))
    assert bad.tolist() == [i == 3 for i in range(N)]


def test_cross_entropy_refuses_a_column_of_labels():
    with pytest.raises(ValueError, match="one label per row"):
        losses.cross_entropy(draw(0, N, C), labels()[:, None])


def test_what_is_supervised_is_told_by_the_type_of_the_labels():
    z, y = draw(0, N, 1), draw(1, N)
    np.testing.assert_allclose(losses.supervised(z, y, AT), np.mean(np.square(z[:, 0] - y)), rtol=1e-12)
    many = draw(0, N, C)
    np.testing.assert_allclose(losses.supervised(many, labels(), AT, 0.1), losses.cross_entropy(many, labels(), 0.1))


def test_the_run_s_smoothing_goes_before_the_method_s_and_weights_of_classes_are_those_of_a_weighted_mean():
    z, y, weights = draw(0, N, C), labels(), (0.5, 1.0, 2.0, 4.0, 0.25)
    at = AT._replace(labelling=Labelling(0.2, weights))
    q = 0.8 * np.eye(C)[y] + 0.2 / C
    each, w = -(q * np.log(softmax(z))).sum(1), np.array(weights)[y]
    np.testing.assert_allclose(losses.supervised(z, y, at, 0.1), (w * each).sum() / w.sum(), rtol=1e-12)
    np.testing.assert_allclose(losses.supervised_each(z, y, at), w * each / w.mean(), rtol=1e-12)
    plain = AT._replace(labelling=Labelling(0.0))
    np.testing.assert_allclose(losses.supervised(z, y, plain, 0.1), losses.cross_entropy(z, y), rtol=1e-12)


@pytest.mark.parametrize("shape", [(N, C), (N,), (N + 1, 1)])
def test_values_refuse_any_but_one_output_a_row(shape):
    with pytest.raises(ValueError, match="values"):
        losses.supervised(draw(0, *shape), draw(1, N), AT)


def test_entropies_are_scipys():
    z = draw(1, N, C)
    np.testing.assert_allclose(losses.entropy(z), scipy.stats.entropy(softmax(z), axis=1), rtol=1e-12)
    expected = scipy.stats.entropy(softmax(z).mean(0))
    np.testing.assert_allclose(losses.marginal_entropy(z), expected, rtol=1e-12)


def confusion_by_matrix(z, temperature, weights=None):
    p = softmax(np.asarray(z) / temperature)
    n, c = p.shape
    if weights is None:
        weights = 1 + np.exp(-scipy.stats.entropy(p, axis=1))
        weights = n * weights / weights.sum()
    correlation = np.zeros((c, c))
    for i in range(n):
        for j in range(c):
            for k in range(c):
                correlation[j, k] += weights[i] * p[i, j] * p[i, k]
    correlation /= correlation.sum(1, keepdims=True)
    return (correlation.sum() - np.trace(correlation)) / c


@pytest.mark.parametrize("temperature", [1.0, 2.5])
def test_confusion_is_its_equation(temperature):
    z = draw(2, N, C)
    expected = confusion_by_matrix(z, temperature)
    np.testing.assert_allclose(losses.confusion(z, temperature), expected, rtol=1e-12)


def test_domain_logistic_is_its_equation():
    s, t, w_s, w_t = draw(3, 7), draw(4, 5), draw(5, 7) ** 2, draw(6, 5) ** 2
    p_s, p_t = 1 / (1 + np.exp(-s)), 1 / (1 + np.exp(-t))
    plain = -0.5 * np.log(p_s).mean() - 0.5 * np.log(1 - p_t).mean()
    weighted = -0.5 * (w_s * np.log(p_s)).mean() - 0.5 * (w_t * np.log(1 - p_t)).mean()
    np.testing.assert_allclose(losses.domain_logistic(s, t), plain, rtol=1e-12)
    np.testing.assert_allclose(losses.domain_logistic(s, t, w_s, w_t), weighted, rtol=1e-12)
    np.testing.assert_allclose(losses.domain_logistic(s, t, jnp.ones(7), jnp.ones(5)), plain, rtol=1e-12)
    one = losses.domain_logistic(s, t, weights_t=w_t)
    np.testing.assert_allclose(one, -0.5 * np.log(p_s).mean() - 0.5 * (w_t * np.log(1 - p_t)).mean())


def test_domain_logistic_of_an_undecided_discriminator_is_log_2_and_the_domains_mirror():
    np.testing.assert_allclose(losses.domain_logistic(jnp.zeros(4), jnp.zeros(9)), math.log(2), rtol=1e-12)
    s, t = draw(3, 7), draw(4, 5)
    np.testing.assert_allclose(losses.domain_logistic(s, t), losses.domain_logistic(-t, -s), rtol=1e-12)


@pytest.mark.parametrize(
    "arguments",
    [
        (np.zeros((4, 1)), np.zeros(4)),
        (np.zeros(4), np.zeros((4, 1))),
        (np.zeros(4), np.zeros(4), np.ones(3)),
    ],
    ids=["source", "target", "weights"],
)
def test_domain_logistic_refuses_shapes_that_would_broadcast(arguments):
    with pytest.raises(ValueError, match="must be \\[n\\]"):
        losses.domain_logistic(*map(jnp.asarray, arguments))


PSEUDO = jax.jit(losses.pseudo_label_loss)


@pytest.mark.parametrize("threshold", [0.0, 0.6, 0.95])
def test_pseudo_label_loss_is_its_equation(threshold):
    strong, weak = draw(7, N, C), draw(8, N, C)
    p, q = softmax(strong), softmax(weak)
    total, kept = 0.0, 0
    for i in range(N):
        if q[i].max() >= threshold:
            total, kept = total - math.log(p[i, q[i].argmax()]), kept + 1
    found = PSEUDO(strong, weak, threshold)
    np.testing.assert_allclose(found, [total / N, kept / N], rtol=1e-12)
    np.testing.assert_allclose(PSEUDO(strong, weak, np.full(N, threshold)), found, rtol=1e-12)


def test_l1_discrepancy_is_its_equation():
    a, b = draw(9, N, C), draw(10, N, C)
    expected = np.abs(softmax(a) - softmax(b)).sum() / (N * C)
    np.testing.assert_allclose(losses.l1_discrepancy(a, b), expected, rtol=1e-12)
    np.testing.assert_allclose(losses.l1_discrepancy(b, a), expected, rtol=1e-12)


# Properties -------------------------------------------------------------------------------------

logits = npst.arrays(np.float64, (6, 4), elements=st.floats(-50, 50))


@jax.jit
def everything(z, other):
    return {
        "entropy": losses.entropy(z),
        "marginal": losses.marginal_entropy(z),
        "confusion": losses.confusion(z),
        "l1": losses.l1_discrepancy(z, other),
        "l1 of equals": losses.l1_discrepancy(z, z),
        "cross_entropy": losses.cross_entropy(z, np.arange(6) % 4),
    }


@hypothesis.given(logits, logits)
@hypothesis.settings(max_examples=60, deadline=None)
def test_bounds(z, other):
    found, rounding = everything(z, other), 1e-9
    assert np.all(found["entropy"] >= -rounding)
    assert np.all(found["entropy"] <= math.log(4) + rounding)
    # The entropy of a mean is at least the mean of entropies: information is never negative.
    assert found["entropy"].mean() - rounding <= found["marginal"] <= math.log(4) + rounding
    assert 0 <= found["confusion"] < 1
    assert 0 <= found["l1"] <= 2 / 4 + rounding
    assert found["l1 of equals"] == 0
    assert found["cross_entropy"] >= 0


@hypothesis.given(logits, st.permutations(range(6)), st.permutations(range(4)), st.floats(-20, 20))
@hypothesis.settings(max_examples=60, deadline=None)
def test_order_of_rows_and_classes_and_a_common_offset_do_not_matter(z, rows, classes, offset):
    found, moved = everything(z, z), everything(z[rows][:, classes] + offset, z)
    np.testing.assert_allclose(moved["entropy"], found["entropy"][np.asarray(rows)], rtol=1e-7, atol=1e-9)
    for name in ("marginal", "confusion"):
        np.testing.assert_allclose(moved[name], found[name], rtol=1e-7, atol=1e-9)


def test_confusion_rewards_confident_predictions_and_is_the_chance_of_a_wrong_class_for_uniform_ones():
    confusion = jax.jit(losses.confusion)
    sure = 100 * np.eye(C)
    assert confusion(sure) < confusion(sure / 30) < confusion(sure / 100)
    np.testing.assert_allclose([confusion(sure), confusion(0 * sure)], [0, 1 - 1 / C], atol=1e-12)
