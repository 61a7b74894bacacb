"""Gradient balancing against the direct definitions on explicit gradients, and what each method promises."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize

from tl_jax.balancing import by_gramian
from tl_jax.balancing.contract import comparable

pytestmark = pytest.mark.usefixtures("double")

FUNCTIONS = {
    "total": by_gramian.total,
    "mean": by_gramian.mean,
    "mgda": by_gramian.mgda,
    "cagrad": by_gramian.cagrad,
    "nash_mtl": by_gramian.nash_mtl,
    "fairgrad 2": lambda g: by_gramian.fairgrad(g, 2.0),
    "fairgrad .5": lambda g: by_gramian.fairgrad(g, 0.5),
    "upgrad": by_gramian.upgrad,
    "aligned_mtl": by_gramian.aligned_mtl,
    "imtl_g": by_gramian.imtl_g,
}
# Compiled once for each number of tasks: eager, each function would be compiled operation by operation.
COMPILED = {name: jax.jit(function) for name, function in FUNCTIONS.items()}
CAGRAD = jax.jit(by_gramian.cagrad)
NON_CONFLICTING = ("mgda", "nash_mtl", "fairgrad 2", "fairgrad .5", "upgrad")


def gradients(seed, k=3, d=7):
    """Gradients of different lengths; even seeds share a direction, odd seeds oppose one another."""
    rng = np.random.default_rng(seed)
    j = rng.normal(size=(k, d)) * np.exp(rng.normal(size=(k, 1)))
    if seed % 2:
        j[1] = -j[0] + 0.3 * rng.normal(size=d)
    else:
        j += j[:1]
    return j


def weights(name, j):
    return np.asarray(COMPILED[name](jnp.asarray(j @ j.T)))


def on_simplex(f, k):
    """argmin of f over the simplex, by SLSQP from several starts."""
    rng = np.random.default_rng(0)
    whole = {"type": "eq", "fun": lambda w: w.sum() - 1}
    starts = [np.full(k, 1 / k), *rng.dirichlet(np.ones(k), 3)]
    options = {"ftol": 1e-15, "maxiter": 500}
    found = [
        scipy.optimize.minimize(f, w, bounds=[(0, 1)] * k, constraints=[whole], options=options, method="SLSQP")
        for w in starts
    ]
    return min(found, key=lambda result: result.fun).x


SEEDS = range(6)


# Direct definitions -----------------------------------------------------------------------------


@pytest.mark.parametrize("seed", SEEDS)
def test_mgda_is_the_shortest_vector_of_the_hull(seed):
    j = gradients(seed)
    w = weights("mgda", j)
    expected = on_simplex(lambda w: ((j.T @ w) ** 2).sum(), 3)
    assert w.min() >= 0
    assert w.sum() == pytest.approx(1)
    np.testing.assert_allclose(j.T @ w, j.T @ expected, atol=1e-5 * np.abs(j).max())


def test_mgda_of_two_tasks_has_a_closed_form():
    j = gradients(1, k=2)
    a, b = j
    share = np.clip((b - a) @ b / ((a - b) @ (a - b)), 0, 1)
    np.testing.assert_allclose(weights("mgda", j), [share, 1 - share], atol=1e-8)


@pytest.mark.parametrize("c", [0.0, 0.4, 1.0])
@pytest.mark.parametrize("seed", SEEDS)
def test_cagrad_is_its_direct_definition(seed, c):
    """max over d in a ball around the mean gradient of the worst improvement, solved over d itself."""
    j = gradients(seed)
    mean = j.mean(0)
    radius = c * np.linalg.norm(mean)
    w = np.asarray(CAGRAD(jnp.asarray(j @ j.T), c))
    d = j.T @ w
    assert np.linalg.norm(d - mean) <= radius * (1 + 1e-6) + 1e-9
    ball = {"type": "ineq", "fun": lambda x: radius**2 - ((x[:-1] - mean) ** 2).sum()}
    worst = {"type": "ineq", "fun": lambda x: j @ x[:-1] - x[-1]}
    start = np.append(mean, (j @ mean).min())
    direct = scipy.optimize.minimize(
        lambda x: -x[-1], start, constraints=[ball, worst], method="SLSQP", options={"ftol": 1e-14, "maxiter": 500}
    )
    assert (j @ d).min() == pytest.approx(-direct.fun, rel=1e-4, abs=1e-6 * (j @ j.T).max())


@pytest.mark.parametrize("seed", SEEDS)
def test_nash_and_fairgrad_maximise_their_fairness(seed):
    """Stationary: G w = w^(-1/alpha); and of all directions as long, theirs has the largest total utility."""
    j = gradients(seed)
    gram = j @ j.T
    for name, alpha in (("nash_mtl", 1.0), ("fairgrad 2", 2.0), ("fairgrad .5", 0.5)):
        w = weights(name, j)
        np.testing.assert_allclose(gram @ w, w ** (-1 / alpha), rtol=1e-6)
    d = j.T @ weights("nash_mtl", j)
    value = np.log(j @ d).sum()
    for other in np.random.default_rng(seed).normal(size=(200, len(d))) * 0.3 + d:
        gains = j @ (other / np.linalg.norm(other) * np.linalg.norm(d))
        assert gains.min() <= 0 or np.log(gains).sum() <= value + 1e-9


def test_the_nash_direction_is_as_long_as_the_root_of_the_number_of_tasks():
    for seed in SEEDS:
        j = gradients(seed)
        assert np.linalg.norm(j.T @ weights("nash_mtl", j)) == pytest.approx(3**0.5)


@pytest.mark.parametrize("seed", SEEDS)
def test_upgrad_projects_each_gradient_on_the_dual_cone(seed):
    """The projection of g_i on {d: J d >= 0}, solved over d itself, then the mean."""
    j = gradients(seed, d=4)
    projected = []
    for g in j:
        # d = g + J'x, x >= 0, minimal length of J'x + g: non-negative least squares.
        x, _ = scipy.optimize.nnls(j.T, -g)
        d = g + j.T @ x
        assert (j @ d).min() > -1e-9
        projected.append(d)
    np.testing.assert_allclose(j.T @ weights("upgrad", j), np.mean(projected, 0), atol=1e-6 * np.abs(j).max())


@pytest.mark.parametrize("seed", SEEDS)
def test_aligned_gradients_are_orthogonal_and_all_as_long_as_the_smallest_singular_value(seed):
    j = gradients(seed)
    u, s, vt = np.linalg.svd(j, full_matrices=False)
    np.testing.assert_allclose(j.T @ weights("aligned_mtl", j), s[-1] * (u @ vt).mean(0), rtol=1e-7)


@pytest.mark.parametrize("seed", SEEDS)
def test_imtl_g_has_equal_projections_and_weights_that_sum_to_one(seed):
    j = gradients(seed)
    w = weights("imtl_g", j)
    projections = j @ (j.T @ w) / np.linalg.norm(j, axis=1)
    assert w.sum() == pytest.approx(1)
    np.testing.assert_allclose(projections, projections[0], rtol=1e-6)


# Promises ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", NON_CONFLICTING)
def test_no_task_loses(name):
    for seed in range(12):
        j = gradients(seed)
        gains = j @ (j.T @ weights(name, j))
        assert gains.min() >= -1e-7 * np.abs(j @ j.T).max()


def test_the_mean_and_the_sum_do_conflict_on_the_same_gradients():
    """Else the test above would prove nothing."""
    assert any((j @ j.sum(0)).min() < -0.1 for j in map(gradients, range(12)))


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_order_of_tasks_does_not_matter(name):
    order = [2, 0, 1]
    for seed in SEEDS:
        j = gradients(seed)
        np.testing.assert_allclose(weights(name, j[order]), weights(name, j)[order], rtol=1e-5, atol=1e-7)


POWER = {"nash_mtl": -1.0, "fairgrad 2": -4 / 3, "fairgrad .5": -2 / 3}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("size", [1e-3, 1e3])
def test_how_weights_scale_with_all_gradients(name, size):
    """w(c J) = c^p w(J), p = 0 except for the fair ones, whose p = -2 alpha / (1 + alpha)."""
    j = gradients(3)
    scale = size ** POWER.get(name, 0.0)
    np.testing.assert_allclose(weights(name, size * j), scale * weights(name, j), rtol=1e-5, atol=1e-8 * scale)


@pytest.mark.parametrize("name", ["nash_mtl", "imtl_g"])
def test_these_do_not_notice_the_scale_of_one_task(name):
    """The direction, up to its length, is that of the gradients' directions alone."""
    j = gradients(2)
    scaled = j * np.array([[1.0], [50.0], [0.02]])
    a, b = (x.T @ weights(name, x) for x in (j, scaled))
    np.testing.assert_allclose(a / np.linalg.norm(a), b / np.linalg.norm(b), atol=1e-6)


def test_at_a_stationary_point_mgda_stops():
    j = np.array([[1.0, 2.0], [-2.0, 0.5], [0.5, -2.0]])
    assert on_simplex(lambda w: ((j.T @ w) ** 2).sum(), 3).min() > 0.05  # the origin is inside the hull
    np.testing.assert_allclose(j.T @ weights("mgda", j), 0, atol=1e-7)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_tasks_that_agree_are_left_alone_in_direction(name):
    """k copies of one gradient: every method goes along it."""
    g = np.array([0.3, -1.0, 2.0])
    d = np.stack([g] * 3).T @ weights(name, np.stack([g] * 3))
    assert d @ g == pytest.approx(np.linalg.norm(d) * np.linalg.norm(g))
    assert np.linalg.norm(d) > 0.1


DEGENERATE = {
    "all zero": np.zeros((3, 4)),
    "one zero": [[1.0, 0, 0], [0, 0, 0], [-0.5, 1, 0]],
    "two equal": [[1.0, 2, 0], [1, 2, 0], [-1, 0, 0]],
    "opposed": [[1.0, 2, 0], [-1, -2, 0], [0, 0, 1]],
    "far apart": [[1e4, 0, 0], [0, 1e-4, 0], [1.0, 1, 1]],
    "tiny": 1e-12 * np.eye(3),
}


@pytest.mark.parametrize("case", DEGENERATE)
@pytest.mark.parametrize("name", FUNCTIONS)
def test_degenerate_gradients_give_finite_steps(name, case):
    with jax.enable_x64(False):
        j = np.asarray(DEGENERATE[case], np.float32)
        gram = jnp.asarray(j @ j.T)
        w = COMPILED[name](gram)
        scaled = np.asarray(comparable(w, gram))
    assert np.isfinite(w).all()
    assert np.isfinite(scaled).all()
    assert np.linalg.norm(j.T @ scaled) <= 10 * np.abs(j).max() * 3


def test_a_zero_gradient_changes_nothing_for_the_others():
    """But for mgda, for which a task at its optimum is a reason to stop, and for those that average over k."""
    j = np.array([[1.0, 0, 0.2], [-0.5, 1, 0]])
    padded = np.concatenate([j, np.zeros((1, 3))])
    for name in ("nash_mtl", "imtl_g"):
        np.testing.assert_allclose(padded.T @ weights(name, padded), j.T @ weights(name, j), rtol=1e-5)
    np.testing.assert_allclose(padded.T @ weights("upgrad", padded), 2 / 3 * j.T @ weights("upgrad", j), rtol=1e-5)
    np.testing.assert_allclose(padded.T @ weights("mgda", padded), 0, atol=1e-9)


@pytest.mark.parametrize("name", ["mgda", "cagrad", "nash_mtl", "upgrad", "aligned_mtl"])
def test_vmapped_over_trials_is_one_after_the_other(name):
    many = np.stack([gradients(seed) for seed in range(4)])
    together = jax.jit(jax.vmap(FUNCTIONS[name]))(jnp.asarray(many @ many.transpose(0, 2, 1)))
    np.testing.assert_allclose(together, [weights(name, j) for j in many], rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", NON_CONFLICTING)
def test_single_precision_is_near_double(name):
    """Directions within one percent, on gradients whose cosines go down to -.95."""
    for seed in SEEDS:
        j = gradients(seed)
        d = j.T @ weights(name, j)
        with jax.enable_x64(False):
            single = j.T @ np.asarray(COMPILED[name](jnp.asarray(j @ j.T, jnp.float32)))
        assert np.linalg.norm(single - d) < 0.01 * np.linalg.norm(d)
