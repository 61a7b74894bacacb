"""Discrepancies against straight-line NumPy and SciPy, their invariances and their gradients."""

import math

import hypothesis
import hypothesis.extra.numpy as npst
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from samples import DISTANCES
from samples import cloud as draw
from scipy.spatial.distance import cdist

from tl_jax.losses import discrepancy
from tl_jax.losses.discrepancy import BANDWIDTHS, ESTIMATORS, coral, coral_mean, mmd

# Compiled once: eager, every small operation would be compiled for each shape.
BIASED = jax.jit(DISTANCES["mmd biased"])
SQUARED = jax.jit(discrepancy.squared_distances)
SQUARED_GRADIENTS = jax.jit(jax.grad(lambda x, y: discrepancy.squared_distances(x, y).sum(), (0, 1)))


pytestmark = pytest.mark.usefixtures("double")


PAIRED = ("linear", "cyclic")


def kernel(x, y, mean):
    return sum(math.exp(-((x - y) ** 2).sum() / (2 * 2.0**k * mean)) for k in range(-3, 2))


def mmd_by_loops(s, t, estimator, diagonal=True):
    z = np.concatenate([s, t])
    pairs = [((a - b) ** 2).sum() for i, a in enumerate(z) for j, b in enumerate(z) if diagonal or i != j]
    mean = np.mean(pairs)
    n, m = len(s), len(t)
    if estimator in PAIRED:
        h = []
        rows = range(n) if estimator == "cyclic" else range(0, n - 1, 2)
        for i, j in [(i, (i + 1) % n) for i in rows]:
            s1, s2, t1, t2 = s[i], s[j], t[i], t[j]
            same, other = ((s1, s2), (t1, t2)), ((s1, t2), (s2, t1))
            h.append(sum(kernel(*p, mean) for p in same) - sum(kernel(*p, mean) for p in other))
        return np.mean(h)
    cross = sum(kernel(a, b, mean) for a in s for b in t) / (n * m)
    within = 0.0
    for x in (s, t):
        size = len(x)
        for i in range(size):
            for j in range(size):
                if estimator == "biased":
                    within += kernel(x[i], x[j], mean) / size**2
                elif i != j:
                    within += kernel(x[i], x[j], mean) / (size * (size - 1))
    return within - 2 * cross


# Distances --------------------------------------------------------------------------------------


def test_squared_distances_are_scipys():
    x, y = draw(0, 8), draw(1, 5, shift=2)
    np.testing.assert_allclose(SQUARED(x, y), cdist(x, y, "sqeuclidean"), rtol=1e-10)


def test_squared_distances_survive_a_far_origin_in_single_precision():
    with jax.enable_x64(False):
        x = draw(0, 20, 16, shift=1e3).astype(np.float32)
        found = np.asarray(SQUARED(x, x))
    exact = cdist(x.astype(np.float64), x.astype(np.float64), "sqeuclidean")
    np.testing.assert_allclose(found, exact, rtol=1e-3, atol=1e-3)


points = npst.arrays(np.float32, (5, 3), elements=st.floats(-1e3, 1e3, width=32))


@hypothesis.given(points, points)
@hypothesis.settings(max_examples=40, deadline=None)
def test_squared_distances_are_never_negative_and_their_gradient_is_finite(x, y):
    y[0] = x[0]
    with jax.enable_x64(False):
        assert np.all(SQUARED(x, y) >= 0)
        gradients = SQUARED_GRADIENTS(x, y)
    assert all(np.isfinite(g).all() for g in gradients)


def test_the_gradient_of_a_squared_distance():
    x, y = draw(0, 4), draw(1, 6, shift=3)
    np.testing.assert_allclose(SQUARED_GRADIENTS(x, y)[0], (2 * (x[:, None] - y[None])).sum(1), rtol=1e-10)


@pytest.mark.parametrize("diagonal", [True, False])
def test_mean_squared_distance_is_the_mean_over_pairs(diagonal):
    s, t = draw(0, 6), draw(1, 9, shift=1)
    z = np.concatenate([s, t])
    all_pairs = cdist(z, z, "sqeuclidean")
    expected = all_pairs.mean() if diagonal else all_pairs[~np.eye(15, dtype=bool)].mean()
    np.testing.assert_allclose(discrepancy.mean_squared_distance(s, t, diagonal), expected, rtol=1e-12)


# Maximum mean discrepancy -----------------------------------------------------------------------


@pytest.mark.parametrize("diagonal", [True, False])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_mmd_is_its_equation(estimator, diagonal):
    s, t = draw(0, 8), draw(1, 8 if estimator in PAIRED else 5, shift=0.5)
    found = jax.jit(lambda s, t: mmd(s, t, BANDWIDTHS, estimator, diagonal=diagonal))(s, t)
    np.testing.assert_allclose(found, mmd_by_loops(s, t, estimator, diagonal), rtol=1e-9)


def test_the_other_common_bandwidths_are_the_same_five():
    """exp(-D / (2^i mean / 4)), i = 0 ... 4, with the mean off the diagonal, is diagonal=False."""
    s, t = draw(0), draw(1, shift=0.5)
    z = np.concatenate([s, t])
    squared = cdist(z, z, "sqeuclidean")
    width = squared.sum() / (16 * 16 - 16) / 4
    k = sum(np.exp(-squared / (width * 2**i)) for i in range(5))
    found = jax.jit(lambda s, t: mmd(s, t, BANDWIDTHS, "biased", diagonal=False))(s, t)
    expected = k[:8, :8].mean() + k[8:, 8:].mean() - 2 * k[:8, 8:].mean()
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_bandwidths_may_be_traced_and_swept():
    s, t = draw(0), draw(1, shift=1)
    one = jax.jit(lambda b: mmd(s, t, [b, 2 * b]))
    swept = jax.jit(jax.vmap(one))(jnp.asarray([0.5, 1.0]))
    np.testing.assert_allclose(swept, [one(0.5), one(1.0)], rtol=1e-10)


def test_an_odd_last_row_has_no_pair():
    s, t = draw(0, 7), draw(1, 7, shift=1)
    gradient = jax.jit(jax.grad(DISTANCES["mmd linear"]))(s, t)
    assert not gradient[-1].any()
    assert np.abs(gradient[:-1]).min() > 0


@pytest.mark.parametrize("estimator", ["unbiased", *PAIRED])
def test_unbiased_estimators_average_to_zero_without_a_shift(estimator):
    both = np.random.default_rng(2).normal(size=(2, 400, 16, 3))
    values = jax.jit(jax.vmap(DISTANCES[f"mmd {estimator}"]))(*both)
    error = values.std() / math.sqrt(400)
    assert abs(values.mean()) < 4 * error
    assert (values < 0).any()


def test_the_biased_estimator_does_not():
    both = np.random.default_rng(2).normal(size=(2, 400, 16, 3))
    values = jax.jit(jax.vmap(DISTANCES["mmd biased"]))(*both)
    assert values.min() > 0.05


def test_mmd_of_a_sample_with_itself():
    x = draw(0)
    np.testing.assert_allclose(BIASED(x, x), 0, atol=1e-12)
    assert jax.jit(mmd)(x, x) < 0


@hypothesis.given(points, points)
@hypothesis.settings(max_examples=30, deadline=None)
def test_biased_mmd_is_never_negative_and_bounded(x, y):
    value = BIASED(x.astype(np.float64), y.astype(np.float64))
    assert -1e-9 <= value <= 2 * len(BANDWIDTHS)


# CORAL ------------------------------------------------------------------------------------------


def test_coral_is_its_equation():
    s, t = draw(0, 8, 4), draw(1, 6, 4, shift=1, scale=2)
    difference = np.cov(s, rowvar=False) - np.cov(t, rowvar=False)
    mean = s.mean(0) - t.mean(0)
    np.testing.assert_allclose(coral(s, t), (difference**2).sum() / (4 * 4**2), rtol=1e-10)
    expected = (difference**2).mean() + (mean**2).mean()
    np.testing.assert_allclose(coral_mean(s, t), expected, rtol=1e-10)


# Mistakes ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize(("n", "d_t"), [(8, 4), (1, 3)], ids=["another number of features", "one row"])
def test_shapes_that_do_not_fit_are_refused(name, n, d_t):
    with pytest.raises(ValueError, match=r"need \[n, d\] and \[m, d\]"):
        DISTANCES[name](draw(0, n), draw(1, n, d_t))


def test_mmd_names_the_estimators_and_those_in_linear_time_need_pairs():
    with pytest.raises(ValueError, match="'median'; there are unbiased, biased, linear, cyclic"):
        mmd(draw(0), draw(1), BANDWIDTHS, "median")
    for estimator in PAIRED:
        with pytest.raises(ValueError, match="n = 8 and m = 6"):
            mmd(draw(0), draw(1, 6), BANDWIDTHS, estimator)
