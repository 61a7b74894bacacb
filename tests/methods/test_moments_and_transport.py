"""DDC, CMD, HoMM, DeepJDOT, JUMBOT, MME, IWAN, PADA and ADDA against NumPy."""

from itertools import product

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import AT, BATCH, CE, OUT, C, D, S, T, Y, entropy, gradient, perceptron, slope, softmax, terms, weights

from tl_jax.core.types import Model, Network, Output
from tl_jax.methods import METHODS
from tl_jax.methods.contract import Own


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def test_ddc_is_the_squared_distance_of_the_means():
    losses, _ = terms(METHODS["ddc"]().terms)
    np.testing.assert_allclose(losses["mmd"], np.square(S.features.mean(0) - T.features.mean(0)).sum(), rtol=1e-12)
    np.testing.assert_allclose(losses["source"], CE, rtol=1e-12)


@pytest.mark.parametrize("moments", [1, 5])
def test_cmd_sums_the_distances_of_mean_and_central_moments(moments):
    a, b = sigmoid(S.features), sigmoid(T.features)
    want = np.linalg.norm(a.mean(0) - b.mean(0))
    for k in range(2, moments + 1):
        want += np.linalg.norm(((a - a.mean(0)) ** k).mean(0) - ((b - b.mean(0)) ** k).mean(0))
    losses, _ = terms(METHODS["cmd"](moments=moments).terms)
    np.testing.assert_allclose(losses["moments"], want, rtol=1e-6)
    own, out = gradient(METHODS["cmd"]().terms, "moments", {"source": S, "target": S})
    assert not own
    assert np.isfinite(out["source"].features).all()


@pytest.mark.parametrize("order", [2, 3])
def test_homm_is_the_distance_of_whole_tensors(order):
    def tensor(f):
        total = np.zeros((D,) * order)
        for row, place in product(f, np.ndindex(*total.shape)):
            total[place] += np.prod(row[list(place)]) / len(f)
        return total

    losses, _ = terms(METHODS["homm"](order=order).terms)
    want = np.square(tensor(S.features) - tensor(T.features)).sum() / D**order
    np.testing.assert_allclose(losses["moments"], want, rtol=1e-9)


def costs(alpha, beta):
    p = softmax(T.logits)
    return np.array([[alpha * np.square(f - g).sum() - beta * np.log(p[j, Y[i]]) for j, g in enumerate(T.features)]
                     for i, f in enumerate(S.features)])  # fmt: skip


def sinkhorn(cost, eps, power):
    n, m = cost.shape
    kernel, u, v = np.exp(-cost / eps), np.ones(n), np.ones(m)
    for _ in range(100):
        u = (1 / n / (kernel @ v)) ** power
        v = (1 / m / (kernel.T @ u)) ** power
    return u[:, None] * kernel * v


def test_deep_jdot_moves_at_least_cost_and_the_plan_is_a_constant():
    values = {"features": 0.3, "labels": 0.2, "regular": 0.5}
    cost = costs(0.3, 0.2)
    moved = sinkhorn(cost, 0.5 * cost.mean(), 1.0)
    losses, _ = terms(METHODS["deep_jdot"]().terms, values=values)
    np.testing.assert_allclose(losses["transport"], (moved * cost).sum(), rtol=1e-9)
    _, out = gradient(METHODS["deep_jdot"]().terms, "transport", values=values)
    want = [
        2 * 0.3 * sum(moved[i, j] * (S.features[i] - T.features[j]) for j in range(len(T.features))) for i in range(6)
    ]
    np.testing.assert_allclose(out["source"].features, want, rtol=1e-6, atol=1e-12)


def test_jumbot_moves_what_is_worth_it():
    values = {"features": 0.3, "labels": 0.2, "regular": 0.4, "marginal": 0.6}
    cost = costs(0.3, 0.2)
    moved = sinkhorn(cost, 0.4, 0.6 / (0.6 + 0.4))
    losses, metrics = terms(METHODS["jumbot"]().terms, values=values)
    np.testing.assert_allclose(losses["transport"], (moved * cost).sum(), rtol=1e-9)
    np.testing.assert_allclose(metrics["moved"], moved.sum(), rtol=1e-9)
    assert metrics["moved"] < 0.95


HEAD = {"kernel": np.random.default_rng(3).normal(size=(D, C)), "bias": np.random.default_rng(4).normal(size=C)}


def test_mme_raises_the_entropy_by_the_head_and_lowers_it_by_the_features():
    def loss(head, out):
        own = Own({}, {}, {"head": head})
        return METHODS["mme"]().terms(own, out, BATCH, AT).losses["minimax"]

    unsure = lambda kernel, x: entropy(x @ kernel + HEAD["bias"]).mean()
    value, (head, out) = jax.value_and_grad(loss, (0, 1))(HEAD, OUT)
    np.testing.assert_allclose(value, -unsure(HEAD["kernel"], T.features), rtol=1e-9)
    place = (1, 2)
    by_head = slope(lambda kernel: -unsure(kernel, T.features), HEAD["kernel"], place)
    by_features = slope(lambda x: -unsure(HEAD["kernel"], x), T.features, place)
    np.testing.assert_allclose(head["kernel"][place], by_head, rtol=1e-5)
    np.testing.assert_allclose(out["target"].features[place], -by_features, rtol=1e-5)


def binary(score_s, score_t, w=1.0):
    return 0.5 * (np.mean(w * np.log1p(np.exp(-score_s))) + np.mean(np.log1p(np.exp(score_t))))


def test_iwan_weighs_sources_by_a_discriminator_that_the_features_do_not_notice():
    own = {"weighing": weights(1, D, 7, 1), "discriminator": weights(2, D, 7, 1)}
    score = lambda name, x: perceptron(own[name], x)[:, 0]
    w = 1 - sigmoid(score("weighing", S.features))
    w = w / w.mean()
    losses, _ = terms(METHODS["iwan"]().terms, own=own)
    seen = {name: (score(name, S.features), score(name, T.features)) for name in own}
    np.testing.assert_allclose(losses["domain"], binary(*seen["discriminator"], w), rtol=1e-9)
    np.testing.assert_allclose(losses["weighing"], binary(*seen["weighing"]), rtol=1e-9)
    np.testing.assert_allclose(losses["entropy"], entropy(T.logits).mean(), rtol=1e-9)
    moved, out = gradient(METHODS["iwan"]().terms, "weighing", own=own)
    assert not any(x.any() for o in out.values() for x in o[:2])
    assert moved["weighing"]["dense0"]["kernel"].any()
    moved, _ = gradient(METHODS["iwan"]().terms, "domain", own=own)
    assert not any(x.any() for x in jax.tree.leaves(moved["weighing"]))


IDENTITY = Network(lambda key, x: ({}, {}), lambda params, stats, x, **how: (Output(x, x), stats))


def test_pada_lets_classes_fade_that_no_target_seems_to_have():
    x_t = np.random.default_rng(5).normal(size=(9, C)) * 3
    g = softmax(x_t).mean(0)
    memory = METHODS["pada"]().refresh(IDENTITY, Model({}, {}, {}, {}), jnp.asarray(x_t), AT)
    np.testing.assert_allclose(memory["classes"], g / g.max(), rtol=1e-6)
    own, w = {"discriminator": weights(2, D, 7, 1)}, (g / g.max())[Y]
    losses, _ = terms(METHODS["pada"]().terms, own=own, memory=memory)
    each = -np.log(softmax(S.logits)[np.arange(len(Y)), Y])
    np.testing.assert_allclose(losses["weighted"], (w * each).mean(), rtol=1e-6)
    score = lambda x: perceptron(own["discriminator"], x)[:, 0]
    np.testing.assert_allclose(losses["domain"], binary(score(S.features), score(T.features), w), rtol=1e-6)


def test_adda_reverses_the_gradient_of_the_target_alone_and_keeps_the_source_network():
    own = {"discriminator": weights(2, D, 7, 1)}
    score = lambda x: perceptron(own["discriminator"], x)[:, 0]
    method = METHODS["adda"]()
    losses, _ = terms(method.terms, own=own)
    np.testing.assert_allclose(losses["domain"], binary(score(S.features), score(T.features)), rtol=1e-9)
    _, out = gradient(method.terms, "domain", own=own, lam=0.7)
    want = slope(lambda x: binary(score(S.features), score(x)), T.features, (2, 1))
    np.testing.assert_allclose(out["target"].features[2, 1], -0.7 * want, rtol=1e-5)
    assert not method.views["source"].train
    begun = Model({"head": {"kernel": jnp.ones((D, C))}}, {"all": {}}, {}, {})
    kept = method.init(jax.random.key(0), type("E", (), {"features": S.features})(), begun).memory
    assert method.views["source"].weights(kept) == (begun.params, begun.stats)
