"""What holds for every discrepancy: invariances, order, finite gradients, nothing through the bandwidth."""

import jax
import numpy as np
import pytest
from samples import DISTANCES
from samples import cloud as draw

from tl_jax.losses import discrepancy
from tl_jax.losses.discrepancy import BANDWIDTHS, ESTIMATORS, coral, coral_mean, mmd

# Compiled once for the whole file: eager, every small operation would be compiled for each shape.
VALUE_AND_GRADIENTS = {name: jax.jit(jax.value_and_grad(f, (0, 1))) for name, f in DISTANCES.items()}
VALUE = {name: (lambda s, t, f=f: f(s, t)[0]) for name, f in VALUE_AND_GRADIENTS.items()}


pytestmark = pytest.mark.usefixtures("double")


@pytest.mark.parametrize("name", DISTANCES)
def test_symmetric_and_blind_to_rotation_and_to_a_common_translation(name):
    s, t = draw(0), draw(1, shift=0.5, scale=2)
    rotation = np.linalg.qr(draw(2, 3))[0]
    value = VALUE[name](s, t)
    np.testing.assert_allclose(VALUE[name](t, s), value, rtol=1e-9)
    np.testing.assert_allclose(VALUE[name](s @ rotation + 7, t @ rotation + 7), value, rtol=1e-9)


@pytest.mark.parametrize("name", sorted({*DISTANCES} - {"mmd linear", "mmd cyclic"}))
def test_the_order_of_rows_does_not_matter(name):
    s, t = draw(0), draw(1, shift=0.5)
    order = np.random.default_rng(3).permutation
    np.testing.assert_allclose(VALUE[name](s[order(8)], t[order(8)]), VALUE[name](s, t), rtol=1e-9)


@pytest.mark.parametrize("name", DISTANCES)
def test_a_larger_shift_is_a_larger_distance(name):
    s, t = draw(0), draw(1)
    # CORAL sees second moments only; a stretch is the shift that all of them see.
    values = [VALUE[name](s, t * stretch + (stretch - 1)) for stretch in (1.0, 2.0, 4.0)]
    assert values[0] < values[1] < values[2]


@pytest.mark.parametrize("name", DISTANCES)
def test_gradients_are_finite_and_flow_to_both_domains(name):
    s, t = draw(0), draw(1, shift=0.5, scale=2)
    for gradient in VALUE_AND_GRADIENTS[name](s, t)[1]:
        assert np.isfinite(gradient).all()
        assert (np.abs(gradient).sum(1) > 0).all()


@pytest.mark.parametrize("name", DISTANCES)
@pytest.mark.parametrize("features", ["equal", "collapsed", "zero", "huge"])
def test_finite_where_features_coincide(name, features):
    with jax.enable_x64(False):
        s = draw(0).astype(np.float32)
        x = {
            "equal": s,
            "collapsed": np.full_like(s, 0.1),
            "zero": np.zeros_like(s),
            "huge": s * np.float32(1e4),
        }[features]
        value, gradients = VALUE_AND_GRADIENTS[name](x, x)
    assert np.isfinite(value)
    assert all(np.isfinite(g).all() for g in gradients)
    if features in ("collapsed", "zero"):
        np.testing.assert_allclose(value, 0, atol=1e-5)


@pytest.mark.parametrize("name", DISTANCES)
def test_jit_is_eager(name):
    s, t = draw(0), draw(1, shift=0.5)
    np.testing.assert_allclose(VALUE[name](s, t), DISTANCES[name](s, t), rtol=1e-9)


@pytest.mark.parametrize("name", DISTANCES)
def test_descending_the_gradient_brings_the_target_closer(name):
    s, t = draw(0), draw(1, shift=1, scale=2)
    value, (_, gradient) = VALUE_AND_GRADIENTS[name](s, t)
    assert VALUE[name](s, t - 1e-3 * gradient / np.linalg.norm(gradient)) < value


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_no_gradient_through_the_bandwidth(estimator):
    s, t, eps = draw(0), draw(1, shift=0.5), 1e-6
    mean = jax.jit(discrepancy.mean_squared_distance)
    fixed = mean(s, t)
    g_s, g_t = VALUE_AND_GRADIENTS[f"mmd {estimator}"](s, t)[1]

    @jax.jit
    def at_fixed_bandwidth(moved):
        return mmd(s, moved, [b * fixed / mean(s, moved) for b in BANDWIDTHS], estimator)

    for i, k in ((0, 0), (3, 2), (7, 1)):
        bump = np.zeros_like(t)
        bump[i, k] = eps
        slope = (at_fixed_bandwidth(t + bump) - at_fixed_bandwidth(t - bump)) / (2 * eps)
        np.testing.assert_allclose(g_t[i, k], slope, rtol=1e-5, atol=1e-9)
    # The value does not change when everything is scaled; were the bandwidth differentiated, the
    # gradient would be orthogonal to the features.
    value = VALUE[f"mmd {estimator}"]
    np.testing.assert_allclose(value(3 * s, 3 * t), value(s, t), rtol=1e-9)
    assert abs((g_s * s).sum() + (g_t * t).sum()) > 1e-3


def test_coral_is_blind_to_the_mean_and_coral_mean_is_not():
    s = draw(0)
    np.testing.assert_allclose(coral(s, s + 5), 0, atol=1e-12)
    np.testing.assert_allclose(coral_mean(s, s + 5), 25, rtol=1e-10)
