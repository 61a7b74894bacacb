"""The scale of features: what it is fitted on, and what must survive it."""

import numpy as np
import pytest

from tl_jax.data.standardise import fitted, scaled

RNG = np.random.default_rng(0)
X = RNG.normal(size=(400, 5)).astype(np.float32)


def by_itself(x):
    return scaled(x, fitted([x]))


def test_features_have_mean_zero_and_deviation_one_whatever_their_units():
    z = by_itself(X * np.array([1e-6, 1, 1e6, 1e12, 3], np.float32) + np.array([0, 1e3, -5e6, 0, 2], np.float32))
    np.testing.assert_allclose(z.mean(0), 0, atol=2e-3)
    np.testing.assert_allclose(z.std(0), 1, atol=2e-3)
    assert z.dtype == np.float32


@pytest.mark.parametrize("value", [0.0, 0.1, -1e8])
def test_a_constant_feature_stays_finite_and_small(value):
    z = by_itself(np.concatenate([X, np.full((400, 1), value, np.float32)], axis=1))
    assert np.abs(z[:, 5]).max() < 1e-3 * max(1.0, abs(value))
    assert np.isfinite(z).all()


@pytest.mark.parametrize("outlier", [1e6, 1e30, -3e38])
def test_one_value_far_away_leaves_the_others_their_spread(outlier):
    x = X.copy()
    x[7, 2] = outlier
    z = by_itself(x)
    assert 0.8 < np.delete(z, 7, axis=0)[:, 2].std() < 1.2
    assert abs(z[7, 2]) == 10.0


def test_counts_keep_their_zeros():
    x = (RNG.random((300, 40)) < 0.05).astype(np.float32) * 3
    z = by_itself(x)
    assert (z[x == 0] == 0).all()
    assert (z[x > 0] > 0).all()


def test_padding_of_series_stays_zero_and_is_not_counted():
    x = (RNG.normal(size=(50, 9, 2)) * 5 + 100).astype(np.float32)
    x[:, 6:] = 0
    z = by_itself(x)
    assert (z[:, 6:] == 0).all()
    np.testing.assert_allclose(z[:, :6].std((0, 1)), 1, atol=1e-3)
    np.testing.assert_allclose(z[:, :6].mean((0, 1)), 0, atol=1e-3)


def test_several_sets_are_fitted_together():
    np.testing.assert_allclose(fitted([X[:100], X[100:]]).center, fitted([X]).center, rtol=1e-6)
