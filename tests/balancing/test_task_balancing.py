"""Every multi-task strategy under one contract, and the weightings against their equations, step by step."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.balancing import by_losses, by_trained_weights
from tl_jax.balancing import contract as balance
from tl_jax.balancing.contract import Balance, Seen, comparable, shared_direction, weighted_loss
from tl_jax.balancing.table import STRATEGIES, db_mtl, imtl
from tl_jax.core.errors import UserError
from tl_jax.naming.calls import parse

pytestmark = pytest.mark.usefixtures("double")
K = 3
SHARED = {"a": np.zeros(4), "b": {"c": np.zeros((2, 3))}}
SECOND_PASS = {"famo"}
OF_LOSSES = {"equal", "mean", "fixed", "uncertainty", "dwa", "rlw", "gls", "imtl_l", "famo"}


def build(name) -> Balance:
    return STRATEGIES[name](**({"weights": (0.5, 1.0, 2.0)} if name == "fixed" else {}))


def seen(seed=0):
    rng = np.random.default_rng(seed)
    gradients = {"a": rng.normal(size=(K, 4)), "b": {"c": rng.normal(size=(K, 2, 3))}}
    return Seen(jnp.asarray(rng.uniform(0.1, 3, K)), jax.random.key(seed), None, jax.tree.map(jnp.asarray, gradients))


def flat(tree):
    return np.concatenate([np.ravel(x) for x in jax.tree.leaves(tree)])


def rows(tree):
    return np.concatenate([np.reshape(x, (K, -1)) for x in jax.tree.leaves(tree)], 1)


def steps(name, n=3, scaled=True):
    """Directions, weights and the last state of n jitted steps."""
    b = build(name)
    step = jax.jit(lambda state, now: shared_direction(b, state, now, scaled=scaled))
    state, out = b.init(K, SHARED), []
    for seed in range(n):
        direction, weights, state = step(state, seen(seed))
        if b.after is not None:
            state = b.after(state, seen(seed).losses, 0.9 * seen(seed).losses)
        out.append((direction, weights))
    return out, state


# The contract -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", STRATEGIES)
def test_one_step_carries_every_strategy(name):
    """The state keeps its shapes, all is finite, a direction has the parameters' tree, the length is the mean's."""
    b = build(name)
    assert b.needs in balance.NEEDS
    assert (b.needs == "losses") == (name in OF_LOSSES)
    assert (b.direction is not None) == (b.needs == "gradients")
    assert (b.after is not None) == (name in SECOND_PASS)
    out, state = steps(name)
    start = b.init(K, SHARED)
    assert jax.tree.structure(state) == jax.tree.structure(start)
    assert [(x.shape, x.dtype) for x in jax.tree.leaves(state)] == [(x.shape, x.dtype) for x in jax.tree.leaves(start)]
    for seed, (direction, weights) in enumerate(out):
        assert jax.tree.structure(direction) == jax.tree.structure(SHARED)
        assert weights.shape == (K,)
        mean = np.linalg.norm(rows(seen(seed).gradients).mean(0))
        assert np.linalg.norm(flat(direction)) == pytest.approx(mean)
        if b.direction is None:
            np.testing.assert_allclose(flat(direction), weights @ rows(seen(seed).gradients))


@pytest.mark.parametrize("name", sorted(OF_LOSSES))
def test_weightings_of_losses_run_without_gradients(name):
    b = build(name)
    w, _ = b.weigh(b.init(K, SHARED), seen()._replace(gradients=None))
    assert w.shape == (K,)
    assert (np.asarray(w) > 0).all()


@pytest.mark.parametrize("name", ["gradnorm", "gradvac", "db_mtl", "nash_mtl"])
def test_trials_are_vmapped_with_their_states(name):
    b = build(name)
    step = lambda now: shared_direction(b, b.init(K, SHARED), now)
    many = jax.tree.map(lambda *x: jnp.stack(x), *[seen(i) for i in range(3)])
    together = jax.jit(jax.vmap(step))(many)
    for i in range(3):
        alone = jax.jit(step)(seen(i))
        one = jax.tree.map(lambda x, i=i: x[i], together)
        jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-9), one, alone)


@pytest.mark.parametrize("name", sorted(OF_LOSSES))
def test_a_weighted_loss_is_differentiated_with_its_weights_held(name):
    b, now = build(name), seen()
    state = b.init(K, SHARED)
    f = jax.jit(jax.value_and_grad(lambda loss: weighted_loss(b, state, now._replace(losses=loss)), has_aux=True))
    (value, (w, _)), slope = f(now.losses)
    np.testing.assert_allclose(slope, w)
    assert value == pytest.approx(float(w @ now.losses))
    assert w.sum() == pytest.approx(1)


def test_names_are_calls():
    assert parse("cagrad(c=0.2)", STRATEGIES, "strategy").text == "cagrad(c=0.2)"
    for name, constructor in STRATEGIES.items():
        assert all(p.default is not p.empty for p in inspect.signature(constructor).parameters.values()), name
    with pytest.raises(UserError, match="2 weights for 3 tasks"):
        by_losses.fixed((1.0, 2.0)).init(3, SHARED)


# Comparable steps -------------------------------------------------------------------------------


def test_comparable_weights():
    j = rows(seen().gradients)
    gram = jnp.asarray(j @ j.T)
    w = jnp.asarray([0.2, 1.0, 3.0])
    found = np.asarray(comparable(w, gram))
    assert np.linalg.norm(found @ j) == pytest.approx(np.linalg.norm(j.mean(0)))
    np.testing.assert_allclose(found / found[0], w / w[0])
    np.testing.assert_allclose(comparable(7 * w, gram), found)
    np.testing.assert_allclose(comparable(jnp.ones(K), gram), 1 / K)
    np.testing.assert_allclose(comparable(w), w / 4.2)


def test_a_vanishing_direction_is_not_blown_up():
    """Nearly opposed: of 2/3 that the weights add up .001 is left, and the step is shorter than the mean gradient."""
    j = np.array([[1.0, 0.001], [-0.5, 0.001]])
    w = jnp.asarray([1 / 3, 2 / 3])
    found = np.asarray(comparable(w, jnp.asarray(j @ j.T)))
    mean, added = np.linalg.norm(j.mean(0)), w @ np.linalg.norm(j, axis=1)
    assert added == pytest.approx(2 / 3, abs=1e-5)
    np.testing.assert_allclose(found, w * mean * 10 / added, rtol=1e-6)
    assert np.linalg.norm(found @ j) == pytest.approx(mean * 10 * 0.001 / added)
    np.testing.assert_array_equal(comparable(jnp.zeros(2), jnp.zeros((2, 2))), 0)


@pytest.mark.parametrize("ratio", [30.0, 100.0, 1000.0])
@pytest.mark.parametrize("cosine", [0.0, -0.6])
@pytest.mark.parametrize("name", ["cagrad", "pcgrad", "upgrad", "imtl_g", "nash_mtl", "mgda", "aligned_mtl"])
def test_gradients_of_very_different_lengths_are_no_cancellation(name, cosine, ratio):
    j = jnp.asarray([[1.0, 0.0], [ratio * cosine, ratio * np.sqrt(1 - cosine**2)]])
    now = Seen(jnp.ones(2), jax.random.key(0), gradients={"a": j})
    direction, _, _ = shared_direction(build(name), (), now)
    assert np.linalg.norm(direction["a"]) == pytest.approx(np.linalg.norm(j.mean(0)), rel=1e-6)


# Tasks without a label in the batch -------------------------------------------------------------

RANDOM = {"rlw", "pcgrad", "gradvac", "graddrop"}


def without(now, i):
    """The same step with nothing of task i: loss and gradient zero, and marked."""
    there = jnp.arange(K) != i
    blank = lambda g: jnp.where(there.reshape(-1, *(1,) * (g.ndim - 1)), g, 0.0)
    return Seen(blank(now.losses), now.key, None, jax.tree.map(blank, now.gradients), there)


def only(now, i):
    """The same step of the other tasks alone."""
    rest = np.array([j for j in range(K) if j != i])
    return Seen(now.losses[rest], now.key, None, jax.tree.map(lambda g: g[rest], now.gradients))


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_task_without_a_label_weighs_nothing_and_stalls_nobody(name):
    b, i = build(name), 1
    fewer = STRATEGIES[name](**({"weights": (0.5, 2.0)} if name == "fixed" else {}))
    step = jax.jit(lambda state, now: shared_direction(b, state, now))
    state, small = b.init(K, SHARED), fewer.init(K - 1, SHARED)
    for seed in range(2):
        now = without(seen(seed), i)
        before = state
        direction, weights, state = step(state, now)
        want, _, small = shared_direction(fewer, small, only(seen(seed), i))
        state = balance.afterwards(b, state, (now.losses, 0.9 * now.losses), now.present)
        small = balance.afterwards(fewer, small, (only(seen(seed), i).losses, 0.9 * only(seen(seed), i).losses))
        assert b.direction is not None or weights[i] == 0
        mean = np.linalg.norm(rows(now.gradients).mean(0))
        assert np.linalg.norm(flat(direction)) == pytest.approx(mean)
        if name not in RANDOM:
            np.testing.assert_allclose(flat(direction) / mean, flat(want) / np.linalg.norm(flat(want)), atol=1e-3)
        for new, old in zip(jax.tree.leaves(state), jax.tree.leaves(before), strict=True):
            if new.shape[:1] == (K,) and name != "gradvac":
                np.testing.assert_array_equal(new[i], old[i])
    nobody = now._replace(losses=0 * now.losses, present=jnp.zeros(K, bool))
    nobody = nobody._replace(gradients=jax.tree.map(jnp.zeros_like, now.gradients))
    direction, weights, _ = step(state, nobody)
    assert not flat(direction).any()
    assert np.isfinite(weights).all()


@pytest.mark.parametrize("name", sorted(OF_LOSSES))
def test_a_loss_counts_for_what_it_does_in_the_mean_of_all(name):
    b, now = build(name), without(seen(), 1)
    _, (weights, _) = weighted_loss(b, b.init(K, SHARED), now)
    assert weights[1] == 0
    assert weights.sum() == pytest.approx((K - 1) / K)


# Weightings against their equations -------------------------------------------------------------

LOSSES = np.random.default_rng(5).uniform(0.2, 2, (6, K))


def run(b, losses=LOSSES, gram=None):
    state, out = b.init(K, SHARED), []
    for i, loss in enumerate(losses):
        now = Seen(jnp.asarray(loss), jax.random.key(i), None if gram is None else jnp.asarray(gram))
        w, state = b.weigh(state, now)
        out.append(np.asarray(w))
    return np.array(out), state


class Adam:
    """Kingma & Ba 2015, written out."""

    def __init__(self, lr):
        self.lr, self.m, self.v, self.t = lr, 0.0, 0.0, 0

    def __call__(self, g):
        self.t += 1
        self.m, self.v = 0.9 * self.m + 0.1 * g, 0.999 * self.v + 0.001 * g * g
        return -self.lr * (self.m / (1 - 0.9**self.t)) / (np.sqrt(self.v / (1 - 0.999**self.t)) + 1e-8)


def softmax(x):
    return np.exp(x - x.max()) / np.exp(x - x.max()).sum()


def derivative(f, x, h=1e-6):
    return np.array([(f(x + h * e) - f(x - h * e)) / (2 * h) for e in np.eye(len(x))])


@pytest.mark.parametrize(
    ("constructor", "value", "weight"),
    [
        (by_trained_weights.uncertainty, lambda s, loss: (np.exp(-s) * loss + s).sum() / 2, lambda s: np.exp(-s) / 2),
        (by_trained_weights.imtl_l, lambda s, loss: (np.exp(s) * loss - s).sum(), np.exp),
    ],
)
def test_trained_scales_descend_their_objective(constructor, value, weight):
    found, _ = run(constructor(lr=0.1))
    s, adam = np.zeros(K), Adam(0.1)
    for w, loss in zip(found, LOSSES, strict=True):
        np.testing.assert_allclose(w, weight(s), rtol=1e-5)
        s = s + adam(derivative(lambda x, loss=loss: value(x, loss), s))


def test_trained_scales_end_where_their_derivative_is_zero():
    constant = np.tile([[0.5, 1.0, 4.0]], (400, 1))
    np.testing.assert_allclose(
        run(by_trained_weights.uncertainty(lr=0.1), constant)[0][-1], 0.5 / constant[0], rtol=0.02
    )


def test_dwa_compares_the_last_two_epochs():
    found, _ = run(by_losses.dwa(temperature=1.5, every=2))
    np.testing.assert_array_equal(found[:4], 1)
    ratio = LOSSES[2:4].mean(0) / LOSSES[:2].mean(0)
    np.testing.assert_allclose(found[4:], np.tile(K * softmax(ratio / 1.5), (2, 1)))


def test_random_weights_sum_to_k_and_change():
    found, _ = run(by_losses.rlw())
    np.testing.assert_allclose(found.sum(1), K)
    assert len(np.unique(np.round(found, 6), axis=0)) == len(LOSSES)


def test_gls_is_the_gradient_of_the_geometric_mean():
    w = run(by_losses.gls())[0][0]
    np.testing.assert_allclose(w, derivative(lambda x: np.prod(x) ** (1 / K), LOSSES[0]), rtol=1e-6)
    with jax.enable_x64(False):
        many = jnp.full(40, 1e-6, jnp.float32)  # the product is 1e-240
        np.testing.assert_allclose(by_losses.gls().weigh((), Seen(many, jax.random.key(0)))[0], 1 / 40, rtol=1e-4)


def test_gradnorm_descends_its_objective():
    norms = np.array([0.5, 2.0, 1.0])
    found, _ = run(by_trained_weights.gradnorm(alpha=1.5, lr=0.1, warmup=2), gram=np.diag(norms**2))
    np.testing.assert_allclose(found[:3], 1)
    start, p, adam = LOSSES[:2].mean(0), np.zeros(K), Adam(0.1)
    for w, loss in zip(found[2:], LOSSES[2:], strict=True):
        np.testing.assert_allclose(w, K * softmax(p), rtol=1e-5)
        ratio = loss / start
        goal = (w * norms).mean() * (ratio / ratio.mean()) ** 1.5
        p = p + adam(derivative(lambda x, goal=goal: np.abs(K * softmax(x) * norms - goal).sum(), p))


def test_gradnorm_evens_out_norms_when_tasks_learn_alike():
    norms = np.array([0.5, 2.0, 1.0])
    found, _ = run(by_trained_weights.gradnorm(lr=0.02), np.ones((300, K)), np.diag(norms**2))
    products = found[-1] * norms
    np.testing.assert_allclose(products, products.mean(), rtol=0.1)


def test_famo_is_its_equation_and_favours_what_falls_slowest():
    b = by_trained_weights.famo(lr=0.1, decay=0.01)
    p, adam, state = np.zeros(K), Adam(0.1), b.init(K, SHARED)
    for loss in LOSSES:
        w, state = b.weigh(state, Seen(jnp.asarray(loss), jax.random.key(0)))
        expected = softmax(p) / loss
        np.testing.assert_allclose(w, expected / expected.sum(), rtol=1e-5)
        later = loss * np.array([0.5, 0.9, 0.7])
        state = b.after(state, jnp.asarray(loss), jnp.asarray(later))
        fall = np.log(loss / later)
        p = p + adam(derivative(lambda x, fall=fall: softmax(x) @ fall, p) + 0.01 * p)
    assert np.argmax(p) == 1
    assert np.argmin(p) == 0


def test_imtl_is_imtl_g_of_the_scaled_losses():
    j = rows(seen().gradients)
    b, scales = imtl(lr=0.1), by_trained_weights.imtl_l(lr=0.1)
    both, scaled = b.init(K, SHARED), scales.init(K, SHARED)
    for loss in LOSSES:
        now = Seen(jnp.asarray(loss), jax.random.key(0), jnp.asarray(j @ j.T))
        (w, both), (v, scaled) = b.weigh(both, now), scales.weigh(scaled, now)
    projections = (w / v) @ (v[:, None] * j) @ (j / np.linalg.norm(j, axis=1, keepdims=True)).T
    np.testing.assert_allclose(projections, projections[0], rtol=1e-6)
    assert np.sum(w / v) == pytest.approx(1)


def test_db_mtl_is_its_equation():
    b = db_mtl(beta=0.9, sigma=0.5)
    state, h = b.init(K, SHARED), np.zeros((K, 10))
    for t in range(1, 4):
        now = seen(t)
        direction, state = b.direction(state, now)
        decay = 0.9 / t**0.5
        h = decay * h + (1 - decay) * rows(now.gradients) / np.asarray(now.losses)[:, None]
        norms = np.linalg.norm(h, axis=1)
        np.testing.assert_allclose(flat(direction), (norms.max() / norms) @ h)


def test_the_gramian_is_that_of_the_flat_gradients():
    j = rows(seen().gradients)
    np.testing.assert_allclose(balance.gramian(seen().gradients), j @ j.T)


def test_an_absent_task_s_loss_is_the_geometric_mean_of_those_present():
    found = balance._filled(jnp.array([2.0, 8.0, 5.0]), jnp.array([True, True, False]))
    np.testing.assert_allclose(found, [2.0, 8.0, 4.0], rtol=1e-6)
    nearly_solved = balance._filled(jnp.array([0.0, 1.0, 5.0]), jnp.array([True, True, False]))
    np.testing.assert_allclose(nearly_solved, [0.0, 1.0, 1e-4], rtol=1e-5)
