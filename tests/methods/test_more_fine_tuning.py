"""Stochastic normalisation, Co-Tuning, Bi-Tuning, WiSE-FT, class means and Tip-Adapter against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
from cases import BATCH, CE, OTHER, RNG, C, D, N, S, Y, gradient, perceptron, softmax, terms, weights

from tl_jax.core.errors import UserError
from tl_jax.core.types import At, Batch, Labeled, Model, Network, Output
from tl_jax.methods import METHODS
from tl_jax.methods.contract import Example, Own
from tl_jax.methods.prototypical import prototypical
from tl_jax.methods.tip_adapter import tip_adapter
from tl_jax.models.networks import NETWORKS, build

KEYS = Output(OTHER.features[:N], OTHER.logits[:N])
HEAD = weights(1, D, 7)
X = RNG.normal(size=(N, D))
AT = At(0, 0.0, 1.0, {"p": 0.5}, jax.random.key(0))


def plain_network(w):
    """Features are x w, logits those of params["head"]."""
    apply = lambda params, stats, x, **how: (Output(x @ w, (x @ w) @ params["head"]["kernel"]), stats)
    return Network(lambda key, x: ({}, {}), apply)


# Stochastic normalisation -----------------------------------------------------------------------


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_every_channel_is_normalised_by_the_batch_or_by_what_is_stored(p):
    net = build(NETWORKS["mlp"](hidden=(8,), dropout=0.0, bottleneck=16), 3)
    x = RNG.normal(2, 3, (20, D)).astype(np.float32)
    params, stats = net.init(jax.random.key(0), x)
    method = METHODS["stoch_norm"](p=p)
    at = AT._replace(values={"p": p}, key=jax.random.key(3))
    out, new = method.adapt(net, None, at).apply(params, stats, x, train=True)
    flat = jax.tree.map(np.asarray, params)
    h = np.maximum(x @ flat["backbone"]["dense1"]["kernel"] + flat["backbone"]["dense1"]["bias"], 0)
    h = h @ flat["bottleneck"]["dense1"]["kernel"] + flat["bottleneck"]["dense1"]["bias"]
    batch = np.maximum((h - h.mean(0)) / np.sqrt(h.var(0) + 1e-5), 0)
    stored = np.maximum(h / np.sqrt(1 + 1e-5), 0)
    chosen = np.abs(out.features - batch).max(0) < 1e-4
    np.testing.assert_allclose(out.features, np.where(chosen, batch, stored), rtol=1e-4, atol=1e-4)
    assert {0.0: chosen.sum() == 0, 0.5: 3 < chosen.sum() < 13, 1.0: chosen.all()}[p]
    np.testing.assert_allclose(new["bottleneck"]["norm1"]["mean"], 0.1 * h.mean(0), rtol=1e-4, atol=1e-5)
    other = method.adapt(net, None, at._replace(key=jax.random.key(4))).apply(params, stats, x, train=True)[0]
    assert np.array_equal(out.features, other.features) == (p != 0.5)
    loss = lambda x: method.adapt(net, None, at).apply(params, stats, x, train=True)[0].logits[:, 0].sum()
    assert np.isfinite(jax.grad(loss)(x)).all()


# Co-Tuning --------------------------------------------------------------------------------------


def test_co_tuning_relates_the_classes_by_what_the_source_head_says():
    method, w = METHODS["co_tuning"](temperature=2.0), RNG.normal(size=(D, D))
    head = HEAD["dense0"]
    model = Model({"head": {"kernel": np.zeros((D, C)), "bias": np.zeros(C)}}, {}, {}, {"head": head})
    own = method.init(jax.random.key(0), S, model)
    seen = Labeled(X, Y, np.arange(N))
    memory = method.survey(plain_network(w), Model(model.params, {}, own.memory, own.params), seen)
    p = softmax(perceptron(HEAD, X @ w) / 2)
    want = np.stack([p[c == Y].mean(0) for c in range(C)])
    np.testing.assert_allclose(memory["relation"], want, rtol=1e-5)
    losses, _ = terms(method.terms, {"source": S}, own.params, memory)
    related = -(want[Y] * np.log(softmax(perceptron(HEAD, S.features)))).sum(1).mean()
    np.testing.assert_allclose([losses["source"], losses["related"]], [CE, related], rtol=1e-6)
    trained, out = gradient(method.terms, "related", {"source": S}, own.params, memory)
    q = (softmax(perceptron(HEAD, S.features)) - want[Y]) / N
    np.testing.assert_allclose(trained["head"]["dense0"]["kernel"], S.features.T @ q, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(out["source"].features, q @ head["kernel"].T, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["co_tuning", "lwf", "bi_tuning"])
def test_another_head_than_a_linear_one_is_named(name):
    head = {"kernel": np.zeros((D, C)), "scale": np.zeros(1)}
    with pytest.raises(UserError, match=f"{name} reads the weights of a linear head"):
        METHODS[name]().init(jax.random.key(0), S, Model({"head": head}, {}, {}, {"head": head}))


# Bi-Tuning --------------------------------------------------------------------------------------


def unit(x):
    return x / np.linalg.norm(x, axis=1, keepdims=True)


def contrasted(similar, t):
    total = 0.0
    for i in range(N):
        log_p = np.log(softmax(similar[i : i + 1] / t))[0]
        total -= np.mean([log_p[j] for j in range(N) if Y[j] == Y[i]])
    return total / N


def bi_tuning_terms(method, views, head, projector, slow):
    function = lambda own, out, batch, at: method.terms(own._replace(network={"head": head}), out, batch, at)
    memory = {"projector": slow}
    return function, {"own": {"projector": projector}, "memory": memory, "values": method.values, "out": views}


def test_bi_tuning_contrasts_by_class():
    method, head = METHODS["bi_tuning"](), weights(2, D, C)["dense0"]
    projector, slow = weights(3, D, 4), weights(4, D, 4)
    function, given = bi_tuning_terms(method, {"source": S, "keys": KEYS}, head, projector, slow)
    losses, _ = terms(function, **given)
    one = np.ones((N, 1))
    h, h_keys = (unit(np.concatenate([o.features, one], 1)) for o in (S, KEYS))
    w = unit(np.concatenate([head["kernel"].T, head["bias"][:, None]], 1))
    similar = np.array([[w[Y[i]] @ (h[i] if i == j else h_keys[j]) for j in range(N)] for i in range(N)])
    np.testing.assert_allclose(losses["classifier"], contrasted(similar, 0.07), rtol=1e-6)
    z, z_keys = unit(perceptron(projector, S.features)), unit(perceptron(slow, KEYS.features))
    np.testing.assert_allclose(losses["projection"], contrasted(z @ z_keys.T, 0.07), rtol=1e-6)
    np.testing.assert_allclose(losses["source"], CE, rtol=1e-9)


@pytest.mark.parametrize("form", ["paper", "tllib"])
def test_bi_tuning_moves_the_classifier_by_its_contrast_but_not_in_the_library(form):
    method, projector = METHODS["bi_tuning"](form=form), weights(3, D, 4)
    head = jax.tree.map(jnp.asarray, weights(2, D, C)["dense0"])

    def loss(head):
        function, given = bi_tuning_terms(method, {"source": S, "keys": KEYS}, head, projector, projector)
        at = AT._replace(values=method.values)
        own = METHODS["lwf"]().init(AT.key, S, Model({}, {}, {}, {"head": HEAD["dense0"]}))
        return function(own._replace(params=given["own"], memory=given["memory"]), given["out"], BATCH, at).losses

    moved = jax.grad(lambda head: loss(head)["classifier"])(head)
    assert bool(np.abs(moved["kernel"]).max() > 1e-3) == (form == "paper")


# WiSE-FT ----------------------------------------------------------------------------------------


def test_wise_ft_begins_at_the_last_model_with_the_old_trunk_and_predicts_between():
    method = METHODS["wise_ft"](alpha=0.25)
    made = lambda trunk, head, mean: ({"backbone": {"w": jnp.array(trunk)}, "head": {"b": jnp.array(head)}}, mean)
    start, probe, end = made([1.0, 2.0], [0.0], 0.0), made([1.0, 2.0], [4.0], 1.0), made([3.0, 2.0], [8.0], 5.0)
    as_model = lambda pair, memory: Model(pair[0], {"all": {"m": jnp.array(pair[1])}}, memory, {})
    memory = method.init(AT.key, S, as_model(start, {})).memory
    memory = method.after(as_model(probe, memory), {}, BATCH, AT)
    assert float(memory["params"]["head"]["b"][0]) == 4.0
    memory = method.after(as_model(end, memory), {}, BATCH, AT)
    assert float(memory["params"]["head"]["b"][0]) == 4.0  # the trunk has moved
    here = Model(end[0], {"m": jnp.array(5.0)}, memory, {})
    params, stats = method.between(here, 0.25, "target")
    np.testing.assert_allclose(params["backbone"]["w"], [1.5, 2.0])
    np.testing.assert_allclose((params["head"]["b"][0], stats["m"]), (5.0, 2.0))
    shown = Network(lambda key, x: ({}, {}), lambda params, stats, x, **how: (params["backbone"]["w"], stats))
    np.testing.assert_allclose(method.predict(shown, here, None, "target"), [1.5, 2.0])


# Class means ------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", ["plain", "unit"])
def test_class_means_score_by_squared_distance(form):
    method, w = prototypical(form=form), RNG.normal(size=(D, D))
    model = Model({"head": {"kernel": np.zeros((D, C))}}, {}, {}, {})
    memory = method.init(AT.key, S, model).memory
    network = plain_network(w)
    memory = method.survey(network, model._replace(memory=memory), Labeled(X, Y, np.arange(N)))
    queries = RNG.normal(size=(5, D))
    logits = method.predict(network, model._replace(memory=memory), queries, "target").logits
    f, q = X @ w, queries @ w
    if form == "unit":
        f, q = unit(f - (X @ w).mean(0)), unit(q - (X @ w).mean(0))
    means = np.stack([f[c == Y].mean(0) for c in range(C)])
    want = -np.square(q[:, None] - means[None]).sum(2)
    alike = lambda z: z - z.max(1, keepdims=True)  # up to a constant an example
    np.testing.assert_allclose(alike(np.asarray(logits)), alike(want), rtol=1e-5, atol=1e-6)


def test_a_class_without_an_example_is_never_predicted_and_makes_no_nan():
    method, w = prototypical(), RNG.normal(size=(D, D))
    model = Model({"head": {"kernel": np.zeros((D, C + 1))}}, {}, {}, {})
    wider = Output(S.features, np.zeros((N, C + 1)))
    network, memory = plain_network(w), method.init(AT.key, wider, model).memory
    memory = method.survey(network, model._replace(memory=memory), Labeled(X, Y, np.arange(N)))
    logits = method.predict(network, model._replace(memory=memory), X, "target").logits
    assert np.isneginf(logits[:, C]).all()
    assert np.isfinite(logits[:, :C]).all()


# Tip-Adapter ------------------------------------------------------------------------------------


@pytest.mark.parametrize("tuned", [False, True])
def test_tip_adapter_adds_the_labels_of_near_keys_to_the_head(tuned):
    method, w = tip_adapter(alpha=2.0, beta=3.0, tuned=tuned), RNG.normal(size=(D, D)).astype(np.float32)
    head = RNG.normal(size=(D, C)).astype(np.float32)
    network = Network(lambda key, x: ({}, {}), lambda params, stats, x, **how: (Output(x @ w, x @ w @ head), stats))
    rows = np.array([*range(N), 0, 0])  # the first is listed three times, and counts once
    own = method.init(AT.key, Example(S.features, np.zeros((N, C)), None, 1, len(rows)), Model({}, {}, {}, {}))
    model = Model({}, {}, own.memory, own.params)
    memory = method.survey(network, model, Labeled(X[rows], Y[rows], rows))
    queries = RNG.normal(size=(5, D)).astype(np.float32)
    shift = RNG.normal(size=(len(rows), D)).astype(np.float32) * tuned
    moved = {"keys": shift} if tuned else {}
    got = method.predict(network, Model({}, {}, memory, moved), queries, "target").logits
    keys = unit(X[rows] @ w) + shift
    share = np.eye(C)[Y[rows]] / np.where(rows == 0, 3, 1)[:, None]
    want = queries @ w @ head + 2 * np.exp(-3 * (1 - unit(queries @ w) @ keys.T)) @ share
    np.testing.assert_allclose(got, want, rtol=1e-4, atol=1e-4)
    if tuned:
        out, batch = {"source": Output(X @ w, X @ w @ head)}, Batch((Labeled(X, Y, np.arange(N)),), None)
        said = method.terms(Own(moved, memory), out, batch, AT).losses
        z = X @ w @ head + 2 * np.exp(-3 * (1 - unit(X @ w) @ keys.T)) @ share
        assert said.keys() == {"source"}
        loss = scipy.special.logsumexp(z, axis=1) - z[np.arange(N), Y]  # keys that are near make z large
        np.testing.assert_allclose(said["source"], loss.mean(), rtol=1e-4)
