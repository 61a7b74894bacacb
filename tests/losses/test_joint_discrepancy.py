"""Joint and local discrepancies: zero where nothing differs, and blind to the order of rows."""

import jax
import numpy as np
import pytest

from tl_jax.losses.joint_discrepancy import joint_mmd, local_mmd

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


def test_a_class_that_no_target_is_named_for_does_not_count_however_much_is_shared_out_to_it():
    with jax.enable_x64(True):
        labels = np.eye(4)[[0, 1, 2, 0, 1, 2]]
        shares = np.tile([0.45, 0.40, 0.1, 0.05], (6, 1))  # every row names class 0
        w, v = labels[:, 0] / 2, shares[:, 0] / shares[:, 0].sum()
        z = np.concatenate([S, T])
        squared = np.square(z[:, None] - z[None]).sum(-1)
        scale = squared.sum() / (12 * 11)
        k = sum(np.exp(-squared / (2 * 2.0**b * scale)) for b in range(-3, 2))
        want = w @ k[:6, :6] @ w + v @ k[6:, 6:] @ v - 2 * w @ k[:6, 6:] @ v
        np.testing.assert_allclose(local_mmd((S, T), (labels, shares)), want, rtol=1e-9)
        # Nothing in common: no class to compare.
        only_one, others = np.eye(4)[np.ones(6, int)], np.eye(4)[np.zeros(6, int)]
        slopes = jax.grad(lambda x: local_mmd((S, x), (only_one, others)))(T)
        assert local_mmd((S, T), (only_one, others)) == 0
        assert not slopes.any()
