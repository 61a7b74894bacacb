"""NOTE against straight-line Python and NumPy: its reservoir, its normalisation, and a source model trained with it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import C, T, entropy

from tl_jax.core.errors import UserError
from tl_jax.core.types import Model, Network, Output
from tl_jax.kinds.test_time.jobs import streaming
from tl_jax.losses.examples.instance_norm import instance_aware
from tl_jax.methods.contract import Example, Own
from tl_jax.methods.note import entered, note
from tl_jax.run.settings.config import Config

RNG = np.random.default_rng(12)
SIZE = 6


def test_the_reservoir_is_balanced_by_predicted_class():
    """The same as the authors' loop, given the same draws, after each of 80 examples of unequal classes."""
    labels = RNG.choice(C, 80, p=np.array([8, 4, 2] + [1] * (C - 3)) / (14 + C - 3))
    memory = {"bank": {"x": jnp.zeros(SIZE), "label": jnp.full(SIZE, -1)}, "seen": jnp.zeros(C, int)}
    held, seen, step, left_out = [None] * SIZE, [0] * C, jax.jit(entered), 0
    for x, c in enumerate(labels.tolist()):
        key = jax.random.fold_in(jax.random.key(0), x)
        which, whether = jax.random.split(key)
        order, u = np.asarray(jax.random.uniform(which, (SIZE,))), float(jax.random.uniform(whether))
        memory = step(memory, {"x": jnp.float64(x), "label": jnp.asarray(c)}, key)
        seen[c] += 1
        counts = [sum(one is not None and one[1] == k for one in held) for k in range(C)]
        largest = [k for k in range(C) if counts[k] == max(counts)]
        if None in held:
            held[held.index(None)] = (x, c)
        elif c not in largest or u <= counts[c] / seen[c]:
            rivals = [i for i in range(SIZE) if held[i][1] in (largest if c not in largest else [c])]
            held[max(rivals, key=lambda i: order[i])] = (x, c)
        else:
            left_out += 1
        found = list(zip(np.asarray(memory["bank"]["x"]), np.asarray(memory["bank"]["label"]), strict=True))
        assert found == [(0, -1) if one is None else one for one in held]
    assert memory["seen"].tolist() == seen
    assert left_out > 5
    assert max(np.bincount([c for _, c in held])) <= 2


SCALE, BIAS, EPS = np.array([1.5, 0.5]), np.array([0.2, -1.0]), 1e-5


def one_layer(params, stats, x, train=False, before=None, after=None, frozen=(), **_):
    """A network of one batch normalisation "norm1" over x [n, h, w, 2] and a mean over places."""
    (x,) = before("norm1", (x,)) if before else (x,)
    m, v = stats["norm1"]["mean"], stats["norm1"]["var"]
    moved = stats
    if train and "norm1" not in frozen:
        m, v = x.mean((0, 1, 2)), x.var((0, 1, 2))
        of = stats["norm1"]
        moved = {"norm1": {"mean": 0.9 * of["mean"] + 0.1 * m, "var": 0.9 * of["var"] + 0.1 * v}}
    wide = lambda a: jnp.asarray(a).reshape(1, 1, 1, 2)
    y = wide(SCALE) * (x - wide(m)) / jnp.sqrt(wide(v) + EPS) + wide(BIAS)
    y = after("norm1", y) if after else y
    return Output(y, y.mean((1, 2))), moved


NETWORK = Network(lambda key, x: ({}, {}), one_layer)
PARAMS = {"norm1": {"scale": SCALE, "bias": BIAS}}
STATS = {"norm1": {"mean": np.array([0.5, -1.0]), "var": np.array([2.0, 0.3])}}
X = RNG.normal(size=(5, 3, 4, 2)) * RNG.uniform(0.2, 3, (5, 1, 1, 2)) + RNG.normal(size=(5, 1, 1, 2))


def by_hand(x, m, v, k):
    shrink = lambda a, by: np.maximum(a - by, 0) - np.maximum(-a - by, 0)
    out, many = np.empty_like(x), x.shape[1] * x.shape[2]
    for i in range(len(x)):
        for c in range(2):
            of = x[i, :, :, c]
            mean = m[c] + shrink(of.mean() - m[c], k * np.sqrt((v[c] + EPS) / many))
            var = v[c] + shrink(of.var(ddof=1) - v[c], k * (v[c] + EPS) * np.sqrt(2 / (many - 1)))
            out[i, :, :, c] = SCALE[c] * (of - mean) / np.sqrt(max(var, 0) + EPS) + BIAS[c]
    return out


@pytest.mark.parametrize("train", [False, True])
def test_normalisation_takes_what_is_no_chance_from_the_example(train):
    m, v = (X.mean((0, 1, 2)), X.var((0, 1, 2))) if train else (np.array([0.5, -1.0]), np.array([2.0, 0.3]))
    said = lambda network: network.apply(PARAMS, STATS, X, train=train)
    plain, moved = said(NETWORK)
    assert not np.allclose(by_hand(X, m, v, 1.0), plain.features)
    for k in (0.0, 1.0, 4.0):
        found, stats = said(instance_aware(NETWORK, k, pace=0.1))
        np.testing.assert_allclose(found.features, by_hand(X, m, v, k), rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(said(instance_aware(NETWORK, 1e6))[0].features, plain.features, atol=1e-12)
    for name, old in STATS["norm1"].items():  # a momentum of .1, a tenth of it
        np.testing.assert_allclose(stats["norm1"][name], old + 0.1 * (moved["norm1"][name] - old), rtol=1e-9)
    bare = X[:, :1, :1]  # of one place nothing is known
    by_place, plain = (of.apply(PARAMS, STATS, bare, train=train)[0] for of in (instance_aware(NETWORK, 0.0), NETWORK))
    np.testing.assert_array_equal(by_place.features, plain.features)
    still = instance_aware(NETWORK, 1.0).apply(PARAMS, STATS, X, train=train, frozen={"norm1"})[0]
    np.testing.assert_allclose(still.features, by_hand(X, np.array([0.5, -1.0]), np.array([2.0, 0.3]), 1.0), rtol=1e-8)


def test_layers_that_no_hook_meets_are_refused():
    deaf = NETWORK._replace(apply=lambda *args, before=None, after=None, **how: one_layer(*args, **how))
    with pytest.raises(UserError, match="norm1"):
        instance_aware(deaf).apply(PARAMS, STATS, X)


def test_note_minimises_the_entropy_of_what_its_reservoir_holds():
    method = note(size=SIZE)
    model = Model(PARAMS, STATS, {}, {})
    own = method.init(None, Example(T.features, T.logits[:, :2], X[:2], 0), model)
    batch = type("Batch", (), {"target": type("Target", (), {"x": jnp.asarray(X)})})
    at = type("At", (), {"key": jax.random.key(3), "values": {"pace": 0.1}})
    memory = method.before(NETWORK, model._replace(memory=own.memory), batch, at)
    np.testing.assert_array_equal(memory["bank"]["x"][:5], X)  # there is room
    said = by_hand(X, np.array([0.5, -1.0]), np.array([2.0, 0.3]), 4.0).mean((1, 2))
    np.testing.assert_array_equal(memory["bank"]["label"], [*said.argmax(1), -1])
    np.testing.assert_allclose(method.predict(NETWORK, model, X, "target").logits, said)
    logits = RNG.normal(size=(SIZE, 2))
    found = method.terms(Own({}, memory), {"target": Output(None, jnp.asarray(logits))}, batch, at)
    assert found.losses["entropy"] == pytest.approx(entropy(logits)[:5].mean())
    assert found.metrics["held"] == pytest.approx(5 / 6)


def test_a_source_model_of_its_own_is_trained_with_its_normalisation():
    shared, own = streaming(Config(kind="test_time", seeds=(0,)), [("note", note()), ("other", note(retrain=True))])
    assert (shared.start.name, own.start.name) == ("source model", "other: source model")
    assert shared.start.method.adapt is None
    network = own.start.method.adapt(NETWORK, None, None)
    m, v = X.mean((0, 1, 2)), X.var((0, 1, 2))
    found, moved = network.apply(PARAMS, STATS, X, train=True)
    np.testing.assert_allclose(found.features, by_hand(X, m, v, 4.0), rtol=1e-8)
    np.testing.assert_allclose(moved["norm1"]["mean"], 0.9 * STATS["norm1"]["mean"] + 0.1 * m)
