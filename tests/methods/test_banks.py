"""RoTTA and MEMO against straight-line Python and NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
from cases import BATCH, C, D, T, entropy, softmax

from tl_jax.core.types import Model, Network, Output
from tl_jax.losses.examples.bank import filled
from tl_jax.methods.contract import Example, Own
from tl_jax.methods.memo import memo
from tl_jax.methods.rotta import entered, rotta

RNG = np.random.default_rng(11)
SIZE = 8


def empty(of=0.0):
    return {"x": np.zeros(SIZE), "label": np.full(SIZE, -1), "age": np.zeros(SIZE), "entropy": np.full(SIZE, of)}


def by_hand(items):
    """[(x, age)] of a bank of lists, after every example."""
    held = [[] for _ in range(C)]
    bad = lambda age, h: 1 / (1 + np.exp(-age / SIZE)) + h / np.log(C)
    for x, (label, h) in enumerate(items):
        room = len(held[label]) < SIZE / C and sum(map(len, held)) < SIZE
        if not room:
            most = max(map(len, held))
            crowd = [label] if len(held[label]) >= SIZE / C else [k for k in range(C) if len(held[k]) == most]
            worst = max(((bad(age, e), k, i) for k in crowd for i, (_, age, e) in enumerate(held[k])))
            room = worst[0] > bad(0, h)
            if room:
                del held[worst[1]][worst[2]]
        if room:
            held[label].append((x, 0, h))
        held = [[(x, age + 1, e) for x, age, e in of] for of in held]
        yield sorted((x, age) for of in held for x, age, _ in of)


def test_the_bank_of_rotta_is_balanced_recent_and_certain():
    """The bank is the authors' after each of 200 random examples."""
    items = [(int(k), float(h)) for k, h in zip(RNG.integers(0, C, 60), RNG.uniform(0, np.log(C), 60), strict=True)]
    items[:12] = [(min(k, 1), h) for k, h in items[:12]]  # two classes first, so that it is full of neither
    bank, step = jax.tree.map(jnp.asarray, empty()), jax.jit(lambda bank, one: entered(bank, one, C))
    for (label, h), x, want in zip(items, range(60), by_hand(items), strict=True):
        bank = step(bank, {"x": jnp.float64(x), "label": jnp.int32(label), "entropy": jnp.float64(h)})
        held = np.asarray(bank["label"]) >= 0
        found = sorted(zip(np.asarray(bank["x"])[held].tolist(), np.asarray(bank["age"])[held].tolist(), strict=True))
        assert found == [tuple(map(float, one)) for one in want]
    assert held.all()


def test_rotta_learns_from_its_bank_what_the_slow_teacher_says():
    method = rotta(size=SIZE)
    bank = {**empty(), "label": np.array([2, -1, 0, 1, -1, 3, 0, -1]), "age": np.arange(8.0)}
    rows, count = map(np.asarray, jax.jit(filled)(bank))
    assert rows.tolist() == [0, 2, 3, 5, 6, 0, 2, 3]
    assert count == 5
    said = Output(T.features, T.logits[::-1])
    out = {"target": T, "teacher": said}
    found = jax.jit(lambda bank: method.terms(Own({}, {"bank": bank}), out, BATCH, None).losses)(bank)
    w = np.exp(-rows / 8) / (1 + np.exp(-rows / 8))
    each = -(softmax(said.logits) * np.log(softmax(T.logits))).sum(1)
    np.testing.assert_allclose(found["bank"], (w * each)[:5].mean(), rtol=1e-9)

    model = Model({"w": jnp.ones(())}, {}, {}, {})
    own = method.init(None, Example(T.features, T.logits, np.zeros((2, D), np.float32), 0), model)
    reads = Network(lambda *_: ({}, {}), lambda params, stats, x, **how: (Output(x, x[:, :C] * params["w"]), stats))
    batch = BATCH._replace(target=BATCH.target._replace(x=T.features.astype(np.float32)))
    before = jax.jit(lambda memory: method.before(reads, model._replace(memory=memory), batch, None))(own.memory)
    assert jax.tree.map(lambda a: (a.shape, a.dtype), before) == jax.tree.map(lambda a: (a.shape, a.dtype), own.memory)
    held = np.asarray(before["bank"]["label"]) >= 0
    where = [np.flatnonzero((batch.target.x == x).all(1))[0] for x in np.asarray(before["bank"]["x"])[held]]
    z = T.features[where, :C]
    np.testing.assert_array_equal(np.asarray(before["bank"]["label"])[held], z.argmax(1))
    np.testing.assert_allclose(np.asarray(before["bank"]["entropy"])[held], entropy(z), rtol=1e-5)


def test_memo_makes_the_copies_of_an_example_agree_and_be_sure():
    out = {f"copy{i}": Output(None, RNG.normal(size=(3, C))) for i in range(8)}
    found = jax.jit(lambda out: memo().terms(Own({}, {}), out, BATCH, None).losses["entropy"])(out)
    p = np.mean([softmax(o.logits) for o in out.values()], axis=0)
    np.testing.assert_allclose(found, -(p * np.log(p)).sum(1).mean(), rtol=1e-9)
    assert memo().episodic
