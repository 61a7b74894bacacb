"""Transport plans against a linear program and a loop, and what their marginals are."""

import jax
import numpy as np
import pytest
from scipy.optimize import linprog

from tl_jax.losses.transport import cross_costs, plan

RNG = np.random.default_rng(0)
COST = RNG.uniform(0, 1, (5, 7))
PLAN = jax.jit(plan, static_argnums=3)


@pytest.mark.usefixtures("double")
def test_a_plan_of_little_entropy_costs_what_the_exact_one_does():
    n, m = COST.shape
    rows = np.kron(np.eye(n), np.ones(m))
    columns = np.kron(np.ones(n), np.eye(m))
    exact = linprog(COST.ravel(), A_eq=np.vstack([rows, columns]), b_eq=np.r_[np.full(n, 1 / n), np.full(m, 1 / m)])
    found = PLAN(COST, 1e-3, None, 3000)
    np.testing.assert_allclose((found * COST).sum(), exact.fun, atol=2e-3)
    np.testing.assert_allclose(found.sum(0), 1 / m, rtol=1e-10)
    np.testing.assert_allclose(found.sum(1), 1 / n, rtol=1e-3)


@pytest.mark.usefixtures("double")
def test_an_unbalanced_plan_is_that_of_scaling_and_its_conditions_hold():
    eps, tau = 0.2, 0.5
    kernel, u, v = np.exp(-COST / eps), np.ones(5), np.ones(7)
    for _ in range(200):
        u = (np.full(5, 1 / 5) / (kernel @ v)) ** (tau / (tau + eps))
        v = (np.full(7, 1 / 7) / (kernel.T @ u)) ** (tau / (tau + eps))
    found = np.asarray(PLAN(COST, eps, tau, 200))
    np.testing.assert_allclose(found, u[:, None] * kernel * v, rtol=1e-9)
    # Where it is least, C + eps log G + tau (log row / a + log column / b) = 0.
    slope = COST + eps * np.log(found)
    slope += tau * (np.log(5 * found.sum(1))[:, None] + np.log(7 * found.sum(0))[None])
    np.testing.assert_allclose(slope, 0, atol=1e-8)


def test_far_costs_stay_finite():
    assert np.isfinite(PLAN(np.float32(1e4) * COST.astype(np.float32), np.float32(0.1), None, 100)).all()
    np.testing.assert_allclose(PLAN(np.zeros((2, 4)), 0.1, None, 5), np.full((2, 4), 1 / 8), rtol=1e-5)


@pytest.mark.usefixtures("double")
def test_cross_costs_are_those_of_every_label_with_every_prediction():
    logits, y = RNG.normal(size=(4, 3)), np.array([2, 0, 0, 1, 2])
    p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(cross_costs(y, logits), [[-np.log(p[j, k]) for j in range(4)] for k in y], rtol=1e-12)
