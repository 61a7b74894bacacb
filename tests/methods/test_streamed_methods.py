"""Test time: each method against straight-line NumPy on a batch small enough to read; batches of one; other norms."""

import inspect

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import C, D, T, entropy, softmax, terms

from tl_jax.core.errors import UserError
from tl_jax.core.trees import flatten
from tl_jax.core.types import Model, Network, Output
from tl_jax.methods import TEST_TIME
from tl_jax.methods.bn_adapt import bn_adapt
from tl_jax.methods.contract import Example, Own, normalising
from tl_jax.methods.cotta import cotta
from tl_jax.methods.eata import eata
from tl_jax.methods.lame import lame
from tl_jax.methods.sar import sar
from tl_jax.methods.t3a import t3a
from tl_jax.models.networks import NETWORKS, build
from tl_jax.training.create import create
from tl_jax.training.freezing import resolve
from tl_jax.training.optimizer import adamw
from tl_jax.training.recipe import Recipe
from tl_jax.training.state import Data, Start, with_optimizer
from tl_jax.training.stream import make_stream

RNG = np.random.default_rng(1)
QUICK = {"compiler_options": {"xla_backend_optimization_level": 0}}


def given(features, logits, memory=None):
    """A network that says these of whatever it sees, and a model for it."""
    said = lambda params, stats, x, **how: (Output(jnp.asarray(features), jnp.asarray(logits)), stats)
    return Network(lambda key, x: ({}, {}), said), Model({}, {}, memory or {}, {})


def test_bn_adapt_normalises_by_shares_of_both_statistics_layer_by_layer():
    x = RNG.normal(1, 2, (6, 3)).astype(np.float32)
    with jax.enable_x64(False):
        network = build(NETWORKS["mlp"](hidden=(), bottleneck=4), 3)
        params, stats = network.init(jax.random.key(0), x)
        stats = jax.tree.map(lambda s: s + 0.5, stats)
        out = bn_adapt(prior=2.0).predict(network, Model(params, stats, {}, {}), x, "target")
        pure = bn_adapt(prior=0.0).predict(network, Model(params, stats, {}, {}), x, "target")
        trained = network.apply(params, stats, x, train=True)[0]
    dense = jax.device_get(params["bottleneck"]["dense1"])
    z = x @ dense["kernel"] + dense["bias"]
    mean, var = (2 * s + 6 * b for s, b in ((0.5, z.mean(0)), (1.5, z.var(0))))
    want = np.maximum((z - mean / 8) / np.sqrt(var / 8 + 1e-5), 0)
    np.testing.assert_allclose(out.features, want, rtol=1e-3, atol=1e-4)
    np.testing.assert_array_equal(pure.logits, trained.logits)


def test_lame_is_its_fixed_point_and_leaves_a_batch_of_one():
    network, model = given(*T[:2])
    found = lame(neighbours=2).predict(network, model, None, "target").logits
    f = T.features / np.linalg.norm(T.features, axis=1, keepdims=True)
    near = f @ f.T - 9 * np.eye(len(f))
    w = (near >= np.sort(near, 1)[:, -2:-1]).astype(float)
    z = q = softmax(T.logits)
    for _ in range(100):
        z = softmax(np.log(q) + w @ z)
    np.testing.assert_allclose(np.exp(found), z, atol=1e-6)
    network, model = given(T.features[:1], T.logits[:1])
    np.testing.assert_allclose(np.exp(lame().predict(network, model, None, "target").logits), q[:1], rtol=1e-6)


def test_t3a_keeps_the_most_certain_supports_of_each_class():
    kernel, bias = RNG.normal(size=(D, C)), RNG.normal(size=C)
    method, head = t3a(filter=2), {"kernel": jnp.asarray(kernel), "bias": jnp.asarray(bias)}
    own = method.init(jax.random.key(0), Example(*T[:2], None, 1), Model({"head": head}, {}, {}, {}))
    network, model = given(*T[:2], memory=own.memory)
    found = method.predict(network, model, None, "target").logits
    f = np.concatenate([kernel.T, T.features])
    z = np.concatenate([kernel.T @ kernel + bias, T.logits])
    mu = np.zeros((D, C))
    for c in range(C):
        mine = [i for i in np.argsort(entropy(z)) if z[i].argmax() == c][:2]
        mu[:, c] = sum((f[i] / np.linalg.norm(f[i]) for i in mine), np.zeros(D))
    mu /= np.maximum(np.linalg.norm(mu, axis=0), 1e-12)
    np.testing.assert_allclose(found, T.features @ mu, rtol=1e-6)
    # What is remembered of a batch is what it was predicted with.
    memory = method.after(model, {"target": T}, None, None)
    again = given(T.features[:0], T.logits[:0], memory)
    assert jax.tree.map(jnp.shape, memory) == jax.tree.map(jnp.shape, own.memory)
    np.testing.assert_array_equal(
        np.isfinite(memory["entropy"]).sum(1) > 0, [(z.argmax(1) == c).any() for c in range(C)]
    )
    assert method.predict(*again, None, "target").logits.shape == (0, C)
    bare = Model({"head": {"kernel": head["kernel"]}}, {}, {}, {})
    with pytest.raises(UserError, match="linear head"):
        method.init(jax.random.key(0), Example(*T[:2], None, 1), bare)


def test_eata_weighs_what_is_certain_and_new_and_holds_what_matters():
    method, params = eata(), {"norm1": {"scale": jnp.array([1.0, 2.0])}}
    mean = softmax(T.logits)[2]
    memory = {"mean": mean, "begun": {"norm1/scale": jnp.zeros(2)}, "fisher": {"norm1/scale": jnp.array([0.5, 3.0])}}
    values = {"margin": 0.9, "redundancy": 0.7}
    own = lambda terms: lambda given, out, batch, at: terms(given._replace(network=params), out, batch, at)
    losses, metrics = terms(own(method.terms), out={"target": T}, memory=memory, values=values)
    p, h, most = softmax(T.logits), entropy(T.logits), 0.9 * np.log(C)
    cos = p @ mean / np.linalg.norm(p, axis=1) / np.linalg.norm(mean)
    kept = (h < most) & (cos < 0.7)
    assert 0 < kept.sum() < len(kept)
    assert losses["entropy"] == pytest.approx((np.exp(most - h) * h)[kept].mean())
    assert losses["anchor"] == pytest.approx(0.5 * 1 + 3 * 4)
    assert metrics["kept"] == pytest.approx(kept.mean())
    at = type("At", (), {"values": values})
    after = method.after(Model({}, {}, memory, {}), {"target": T}, None, at)
    np.testing.assert_allclose(after["mean"], 0.9 * mean + 0.1 * p[kept].mean(0))
    fresh = method.after(Model({}, {}, {**memory, "mean": jnp.zeros(C)}, {}), {"target": T}, None, at)
    np.testing.assert_allclose(fresh["mean"], p[h < most].mean(0))


def test_the_fisher_of_eata_is_the_squared_gradient_of_what_the_model_says_itself():
    x, kernel = RNG.normal(size=(128, 2)), RNG.normal(size=(2, 3))
    apply = lambda params, stats, x, **how: (Output(x, (x * params["norm1"]["scale"][None]) @ kernel), stats)
    model = Model({"norm1": {"scale": jnp.ones(2)}}, {}, {"fisher": None}, {})
    found = eata().refresh(Network(None, apply), model, jnp.asarray(x), None)["fisher"]["norm1/scale"]  # pyright: ignore
    want = []
    for part in (x[:64], x[64:]):
        p = softmax(part @ kernel)
        slope = (p - np.eye(3)[p.argmax(1)]) @ kernel.T * part
        want.append(slope.mean(0) ** 2)
    np.testing.assert_allclose(found, np.mean(want, 0))


def test_sar_steps_up_before_it_looks_and_keeps_what_is_certain_twice():
    there = T.logits * 0.6
    moved = {}

    def lookahead(loss, rate):
        moved.update(loss=loss({"target": T}), step=rate({"a": jnp.array([3.0]), "b": jnp.array([4.0])}))
        return {"target": Output(T.features, jnp.asarray(there))}

    values = {"margin": 0.7, "rho": 0.05}
    with_it = lambda own, out, batch, at: sar().terms(own._replace(lookahead=lookahead), out, batch, at)
    at = type("At", (), {"values": values})
    found = with_it(Own({}, {}), {"target": T}, None, at)
    first = entropy(T.logits) < 0.7 * np.log(C)
    second = first & (entropy(there) < 0.7 * np.log(C))
    assert 0 < second.sum() < first.sum()
    assert moved["loss"] == pytest.approx(entropy(T.logits)[first].mean())
    np.testing.assert_allclose([moved["step"]["a"][0], moved["step"]["b"][0]], [0.05 * 3 / 5, 0.05 * 4 / 5])
    assert found.losses["entropy"] == pytest.approx(entropy(there)[second].mean())


def test_sar_goes_back_where_asked_and_its_average_begins_anew():
    """The two slips of the published code: a threshold of .2 whatever is asked for, and a low average that stays."""
    method, begun = sar(recovery=0.5), {"norm1/scale": jnp.ones(2)}
    at = type("At", (), {"values": {"recovery": 0.5}})
    model = lambda average: Model({"norm1": {"scale": 3 * jnp.ones(2)}}, {}, {"begun": begun, "average": average}, {})
    step = lambda average, entropy, kept: method.restore(model(average), {"entropy": entropy, "kept": kept}, at)
    lost, well, empty = step(0.5, 0.3, 0.2), step(jnp.inf, 0.6, 0.2), step(0.9, 0.0, 0.0)
    assert (bool(lost.renewed), float(lost.memory["average"])) == (True, np.inf)
    np.testing.assert_array_equal(lost.params["norm1"]["scale"], [1, 1])
    assert (bool(well.renewed), float(well.memory["average"])) == (False, 0.6)
    np.testing.assert_array_equal(well.params["norm1"]["scale"], [3, 3])
    assert float(empty.memory["average"]) == 0.9


def test_cotta_follows_the_mean_of_views_where_the_source_model_is_unsure():
    method, views = cotta(views=2), [Output(T.features, T.logits[::-1]), Output(T.features, 2 * T.logits)]
    out = {"target": T, "teacher": Output(T.features, 3 * T.logits), "source": T, "copy0": views[0], "copy1": views[1]}
    log_p = np.log(softmax(T.logits))
    for threshold, q in ((1.0, (views[0].logits + views[1].logits) / 2), (0.0, 3 * T.logits)):
        losses, _ = terms(method.terms, out=out, values={"threshold": threshold})
        assert losses["consistency"] == pytest.approx(-(softmax(q) * log_p).sum(1).mean())
    params, source = {"a": jnp.zeros(4000)}, {"params": {"a": jnp.ones(4000)}}
    at = type("At", (), {"values": {"share": 0.1, "decay": 0.9}, "key": jax.random.key(0)})
    back = method.restore(Model(params, {}, {"source": source}, {}), {}, at)
    assert back.params["a"].mean() == pytest.approx(0.1, abs=0.02)
    slow = method.after(Model(params, {}, {"teacher": {**source, "stats": {}}, "source": source}, {}), {}, None, at)
    np.testing.assert_allclose(slow["teacher"]["params"]["a"], 0.9)


@pytest.mark.parametrize("name", TEST_TIME)
def test_a_stream_of_single_examples_stays_finite_and_keeps_the_shape_of_the_memory(name):
    least, taken = {"view": "weak", "views": 1, "size": 2}, inspect.signature(TEST_TIME[name]).parameters
    method = TEST_TIME[name](**{argument: value for argument, value in least.items() if argument in taken})
    x = RNG.normal(size=(3, 5)).astype(np.float32)
    with jax.enable_x64(False):
        network = build(NETWORKS["mlp"](hidden=(6,), bottleneck=4, dropout=0.0), 3)
        recipe = Recipe(network, method, total=3, batch_size=1)
        values = {"lr": 0.1, "weight_decay": 0.0, **method.values}
        begin = lambda x: create(
            recipe, Data((), x), Start(jnp.uint32(0), {k: jnp.float32(v) for k, v in values.items()})
        )
        factors = resolve(method.freeze, jax.eval_shape(begin, x).params)

        @lambda f: jax.jit(f, **QUICK)
        def go(x):
            state = with_optimizer(begin(x), method, adamw(), factors)
            return state, make_stream(recipe, factors)(state, x)

        state, found = go(x)
    assert jax.tree.map(lambda a: (a.shape, a.dtype), found.state) == jax.tree.map(lambda a: (a.shape, a.dtype), state)
    assert np.isfinite(found.logits).all()
    for path, before in state.params.items():
        assert np.isfinite(found.state.params[path]).all(), path
        if not method.trained:
            np.testing.assert_array_equal(found.state.params[path], before)


def test_group_and_layer_normalisation_move_as_well():
    x = RNG.integers(0, 255, (2, 32, 32, 3)).astype(np.uint8)
    of_groups = {"backbone": {"GroupNorm_0": {"scale": 1, "bias": 1}, "conv1": {"kernel": 1, "bias": 1}}, "head": {}}
    init = lambda name: jax.eval_shape(build(NETWORKS[name](), 3).init, jax.random.key(0), x / 255)[0]
    for shapes in (init("vit_tiny"), init("convnext_tiny"), of_groups):
        factors = resolve(TEST_TIME["tent"]().freeze, flatten(shapes))
        moving = {path for path, factor in factors.items() if factor}
        assert moving == {
            path for path in factors if path.rpartition("/")[2] in ("scale", "bias") and "norm" in path.lower()
        }
        assert moving == set(normalising(shapes))
        assert any(path.endswith("/scale") for path in moving)
