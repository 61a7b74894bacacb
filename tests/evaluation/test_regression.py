"""Metrics of values against scikit-learn."""

import numpy as np
from sklearn import metrics

from tl_jax.evaluation import regression

RNG = np.random.default_rng(0)
WANTED = RNG.normal(2, 3, 50)
FOUND = WANTED + RNG.normal(0.5, 1, 50)


def test_metrics_are_those_of_scikit_learn():
    np.testing.assert_allclose(regression.r2(FOUND, WANTED), metrics.r2_score(WANTED, FOUND))
    np.testing.assert_allclose(
        regression.explained_variance(FOUND, WANTED), metrics.explained_variance_score(WANTED, FOUND)
    )
    np.testing.assert_allclose(regression.rmse(FOUND, WANTED), metrics.root_mean_squared_error(WANTED, FOUND))
    np.testing.assert_allclose(regression.mae(FOUND, WANTED), metrics.mean_absolute_error(WANTED, FOUND))


def test_labels_that_are_all_equal_have_no_share():
    same = np.ones(5)
    assert np.isnan(regression.r2(same, same))
    assert np.isnan(regression.explained_variance(same, same))
