"""PCGrad, GradVac and GradDrop against straight-line loops over explicit gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.balancing import by_gradients

pytestmark = pytest.mark.usefixtures("double")


def gradients(seed, k=4, d=6):
    j = np.random.default_rng(seed).normal(size=(k, d))
    j[1] -= j[0]
    j[2] -= 2 * j[1]
    return j


def orders(key, k):
    return np.asarray(jnp.stack([jax.random.permutation(one, k) for one in jax.random.split(key, k)]))


def pcgrad_by_loops(j, order):
    total = np.zeros(j.shape[1])
    for i in range(len(j)):
        v = j[i].copy()
        for n in order[i]:
            if n != i and v @ j[n] < 0:
                v -= (v @ j[n]) / (j[n] @ j[n]) * j[n]
        total += v
    return total


def gradvac_by_loops(j, target, order, beta):
    total, target = np.zeros(j.shape[1]), target.copy()
    for i in range(len(j)):
        v = j[i].copy()
        for n in order[i]:
            if n == i:
                continue
            size, other = np.linalg.norm(v), np.linalg.norm(j[n])
            cos, goal = v @ j[n] / (size * other), target[i, n]
            if cos < goal:
                top = size * (goal * np.sqrt(1 - cos**2) - cos * np.sqrt(1 - goal**2))
                v = v + top / (other * np.sqrt(1 - goal**2)) * j[n]
            target[i, n] = (1 - beta) * target[i, n] + beta * cos
        total += v
    return total, target


PCGRAD = jax.jit(by_gradients.pcgrad)
GRADVAC = jax.jit(lambda g, t, key: by_gradients.gradvac(g, t, key, beta=0.3))


@pytest.mark.parametrize("seed", range(5))
def test_pcgrad_is_its_loop(seed):
    j, key = gradients(seed), jax.random.key(seed)
    w = PCGRAD(j @ j.T, key)
    np.testing.assert_allclose(j.T @ w, pcgrad_by_loops(j, orders(key, 4)), rtol=1e-9, atol=1e-12)


def test_the_order_is_drawn_anew():
    j = gradients(0)
    drawn = {tuple(np.round(np.asarray(PCGRAD(j @ j.T, jax.random.key(seed))), 6)) for seed in range(8)}
    assert len(drawn) > 1


def test_pcgrad_of_two_tasks_does_not_conflict_and_of_agreeing_tasks_is_the_sum():
    j = np.array([[1.0, 0.2], [-0.9, 0.5]])
    assert (j @ (j.T @ PCGRAD(j @ j.T, jax.random.key(0)))).min() >= 0
    np.testing.assert_allclose(PCGRAD(np.eye(3) + 1, jax.random.key(0)), 1)


@pytest.mark.parametrize("seed", range(5))
def test_gradvac_is_its_loop_over_several_steps(seed):
    target, expected_target = jnp.zeros((4, 4)), np.zeros((4, 4))
    for step in range(3):
        j, key = gradients(10 * seed + step), jax.random.key(step)
        w, target = GRADVAC(j @ j.T, target, key)
        expected, expected_target = gradvac_by_loops(j, expected_target, orders(key, 4), 0.3)
        np.testing.assert_allclose(j.T @ w, expected, rtol=1e-8, atol=1e-10)
        np.testing.assert_allclose(target, expected_target, rtol=1e-8, atol=1e-12)


def test_gradvac_moves_nothing_above_its_target():
    """Agreeing gradients have cosines above zero: the sum, as pcgrad; and the target moves towards the cosines."""
    g = jnp.asarray(np.eye(4) + 1)
    w, target = GRADVAC(g, jnp.zeros((4, 4)), jax.random.key(0))
    np.testing.assert_allclose(w, 1)
    np.testing.assert_allclose(target, 0.3 * 0.5 * (1 - np.eye(4)))


@pytest.mark.parametrize("j", [np.zeros((4, 2)), np.eye(4) * [[1], [0], [1], [0]], np.ones((4, 3))])
def test_zero_and_equal_gradients_are_finite(j):
    g = jnp.asarray(j @ j.T, float)
    assert np.isfinite(PCGRAD(g, jax.random.key(0))).all()
    w, target = GRADVAC(g, jnp.full((4, 4), 0.9), jax.random.key(0))
    assert np.isfinite(w).all()
    assert np.isfinite(target).all()


# GradDrop ---------------------------------------------------------------------------------------


def drops(j, leak=0.0, draws=2000):
    drop = lambda key: by_gradients.graddrop(jnp.asarray(j), key, leak=leak)
    return np.asarray(jax.jit(jax.vmap(drop))(jax.random.split(jax.random.key(0), draws)))


def test_each_coordinate_keeps_one_sign():
    j = np.array([[1.0, -2.0, 3.0], [0.5, 1.0, -1.0], [-4.0, -0.5, 0.0]])
    up, down = np.where(j > 0, j, 0).sum(0), np.where(j < 0, j, 0).sum(0)
    found = drops(j)
    assert (np.isclose(found, up) | np.isclose(found, down)).all()
    share = np.isclose(found, up).mean(0)
    np.testing.assert_allclose(share, (1 + j.sum(0) / np.abs(j).sum(0)) / 2, atol=0.04)


def test_a_full_leak_is_the_sum_and_pure_coordinates_are_untouched():
    j = np.array([[1.0, -2.0, 0.0], [0.5, 1.0, 0.0]])
    np.testing.assert_allclose(drops(j, leak=1.0, draws=3), np.tile(j.sum(0), (3, 1)))
    np.testing.assert_allclose(drops(j)[:, [0, 2]], np.tile([1.5, 0.0], (2000, 1)))


def test_a_tree_is_dropped_leaf_by_leaf_with_draws_of_its_own():
    g = jnp.asarray(np.random.default_rng(0).normal(size=(2, 50)))
    dropped = by_gradients.graddrop({"a": g, "b": {"c": g.reshape(2, 5, 10)}}, jax.random.key(0))
    assert dropped["b"]["c"].shape == (5, 10)
    assert not np.allclose(dropped["a"], dropped["b"]["c"].ravel())
