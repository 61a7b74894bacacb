"""Joint and local discrepancies: zero where nothing differs, and blind to the order of rows."""

import jax
import numpy as np
import pytest

from tl_jax.core.joint_discrepancy import joint_mmd, local_mmd

RNG = np.random.default_rng(0)
S, T = RNG.normal(size=(6, 3)), RNG.normal(1, 1, (6, 3))
P, Q = (RNG.dirichlet(np.ones(4), 6) for _ in range(2))


@pytest.mark.parametrize("distance", [joint_mmd, local_mmd])
def test_order_does_not_count_and_difference_does(distance):
    with jax.enable_x64(True):
        far, near = distance((S, T + 3), (P, Q)), distance((S, T), (P, Q))
        assert far > near
        turned = distance((S[::-1], T), (P[::-1], Q))
        np.testing.assert_allclose(turned, near, rtol=1e-9)
        np.testing.assert_allclose(distance((T, S), (Q, P)), near, rtol=1e-9)
        assert np.isfinite(jax.grad(lambda x: distance((x, x), (P, P)))(np.ones((6, 3)))).all()


def test_equal_samples_are_at_local_distance_zero_and_a_class_of_one_side_is_left_out():
    with jax.enable_x64(True):
        labels = np.eye(4)[[0, 1, 2, 0, 1, 2]]
        assert abs(local_mmd((S, S), (labels, labels))) < 1e-12
        # Class 3 has no row in the source: wherever its targets lie, they do not count.
        shares = np.eye(4)[[0, 1, 2, 0, 1, 3]]
        moved = T.copy()
        moved[5] = T[:5].mean(0)
        alone = lambda x: jax.grad(lambda x: local_mmd((S, x), (labels, shares)))(x)[5]
        assert np.abs(alone(moved)).max() < 1e-12
