"""Probes against scikit-learn."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from tl_jax.core.errors import UserError
from tl_jax.evaluation import probes

pytestmark = pytest.mark.usefixtures("double")


def draw(seed, n=60, d=5, classes=3):
    rng = np.random.default_rng(seed)
    y = rng.integers(0, classes, n)
    return rng.normal(size=(n, d)) * np.linspace(0.1, 30, d) + 5 + np.eye(classes, d)[y] * 2, y


@pytest.mark.parametrize("d", [5, 90], ids=["primal", "dual"])
@pytest.mark.parametrize("l2", [0.1, 100.0])
def test_ridge_is_scikit_learns(d, l2):
    x, y = draw(0, d=d)
    test, _ = draw(1, n=7, d=d)
    scaler = StandardScaler().fit(x)
    expected = Ridge(alpha=l2).fit(scaler.transform(x), 2 * np.eye(3)[y] - 1).predict(scaler.transform(test))
    model = probes.ridge_probe(jnp.asarray(x), jnp.asarray(y), 3, l2)
    np.testing.assert_allclose(probes.logits(model, jnp.asarray(test)), expected, rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize("d", [5, 90])
@pytest.mark.parametrize("l2", [0.1, 10.0])
def test_logistic_is_scikit_learns(d, l2):
    x, y = draw(2, d=d)
    z = StandardScaler().fit_transform(x)
    expected = LogisticRegression(C=1 / l2, tol=1e-10, max_iter=5000).fit(z, y)
    model = probes.logistic_probe(jnp.asarray(x), jnp.asarray(y), 3, l2)
    found = jax.nn.log_softmax(probes.logits(model, jnp.asarray(x)))
    np.testing.assert_allclose(found, expected.predict_log_proba(z), atol=2e-5)


def test_single_precision_gives_the_same_predictions():
    x, y = draw(3, d=20)
    exact = probes.logits(probes.logistic_probe(jnp.asarray(x), jnp.asarray(y), 3), jnp.asarray(x))
    with jax.enable_x64(False):
        single = jnp.asarray(x, jnp.float32)
        found = probes.logits(probes.logistic_probe(single, jnp.asarray(y, jnp.int32), 3), single)
    np.testing.assert_allclose(found, exact, atol=5e-3)


def test_separable_data_and_constant_features_stay_finite():
    y = np.arange(20) % 2
    x = np.stack([y * 10.0, np.full(20, 3.0), np.zeros(20)], 1)
    for model in (
        probes.ridge_probe(jnp.asarray(x), jnp.asarray(y), 2, 1e-6),
        probes.logistic_probe(jnp.asarray(x), jnp.asarray(y), 2, 1e-4),
    ):
        assert all(np.isfinite(part).all() for part in model)
        assert probes.accuracy(model, x, y) == 1


def test_penalties_are_swept_in_one_program():
    x, y = draw(4)
    fit = lambda l2: probes.ridge_probe(jnp.asarray(x), jnp.asarray(y), 3, l2).kernel
    many = jax.vmap(fit)(jnp.asarray([0.1, 1.0, 10.0]))
    np.testing.assert_allclose(many[1], fit(1.0), rtol=1e-9)
    norms = np.linalg.norm(many, axis=(1, 2))
    assert (np.diff(norms) < 0).all()


# A-distance -------------------------------------------------------------------------------------


def test_a_distance_is_two_for_distant_domains_and_zero_for_equal_ones():
    rng = np.random.default_rng(0)
    x, far = rng.normal(size=(200, 3)), rng.normal(size=(40, 3)) + 50
    assert probes.a_distance(x, far, jax.random.key(0)) == pytest.approx(2)
    same = [probes.a_distance(x, rng.normal(size=(200, 3)), jax.random.key(i)) for i in range(8)]
    assert abs(np.mean(same)) < 0.15


def test_a_distance_does_not_take_a_large_domain_for_a_distant_one():
    """Always guessing the larger domain is right 9 times in 10, yet it separates nothing."""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(900, 2))
    assert abs(probes.a_distance(x, rng.normal(size=(100, 2)), jax.random.key(0))) < 0.3
    with pytest.raises(UserError, match="got 900 and 3"):
        probes.a_distance(x, x[:3], jax.random.key(0))
