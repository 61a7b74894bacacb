"""AND-mask, mixup between domains and SWAD against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import RNG, C, D, cross_entropy, output, softmax

from tl_jax.core.errors import UserError
from tl_jax.core.keys import named
from tl_jax.core.types import At, Batch, Labeled, Model, Output
from tl_jax.losses.importance import held_out
from tl_jax.methods.and_mask import and_mask, masked
from tl_jax.methods.contract import Own
from tl_jax.methods.mixup import mixup, partners
from tl_jax.methods.swad import in_the_valley, passed, swad

SIZES = (5, 4, 6)
PARTS = np.split(np.arange(15), np.cumsum(SIZES)[:-1])
S, Y = output(15), np.arange(15) % C
BATCH = Batch(tuple(Labeled(RNG.normal(size=(len(rows), 3)), Y[rows], rows) for rows in PARTS), None)
ONE = BATCH._replace(sources=BATCH.sources[:1])


def at(method, progress=0.5):
    return At(jnp.int32(0), jnp.float64(progress), 1.0, dict(method.values), jax.random.key(0))


def test_and_mask_moves_only_what_every_domain_moves_the_same_way():
    """The gradient agrees with DomainBed's to 1e-15."""
    method, kernel = and_mask(), jnp.asarray(RNG.normal(size=(D, C)))

    def loss(kernel):
        says = lambda kernel: {"source": Output(S.features, S.features @ kernel)}

        def lookahead(loss, rate):
            (move,) = rate({"kernel": jax.grad(lambda k: loss(says(k)))(kernel)}).values()
            return says(kernel + move)

        own = Own({}, {}, {"kernel": kernel}, lookahead)
        return method.terms(own, says(kernel), BATCH, at(method)).losses["masked"]

    value, found = jax.jit(jax.value_and_grad(loss))(kernel)
    z = S.features @ np.asarray(kernel)
    each = [S.features[r].T @ (softmax(z[r]) - np.eye(C)[Y[r]]) / len(r) for r in PARTS]
    agree = np.abs(np.sign(each).sum(0)) == 3
    assert 0 < agree.mean() < 1
    np.testing.assert_allclose(found, agree * np.mean(each, 0) / agree.mean(), rtol=1e-8)
    np.testing.assert_allclose(value, np.mean([cross_entropy(z[r], Y[r]) for r in PARTS]))
    two_of_three = masked([{"a": jnp.array([1.0, x])} for x in (1.0, 2.0, -3.0)], 1 / 3)
    np.testing.assert_allclose(two_of_three["a"], [1.0, 0.0])
    with pytest.raises(UserError, match="two or more"):
        method.terms(Own({}, {}), {"source": S}, ONE, at(method))


def test_mixup_mixes_every_domain_with_the_next_of_a_circle():
    """Given DomainBed's pairs and shares its loss is this, as a mean over domains of equal size."""
    method, kernel = mixup(), RNG.normal(size=(3, C))
    here, x = at(method), np.concatenate([source.x for source in BATCH.sources])
    other, domain = map(np.asarray, jax.jit(lambda key: partners(list(SIZES), key))(here.key))
    circle = np.asarray(jax.random.permutation(named(here.key, "circle"), 3)).tolist()
    for row in range(15):
        place = row - PARTS[domain[row]][0]
        after = circle[(circle.index(domain[row]) + 1) % 3]
        assert other[row] == PARTS[after][place % SIZES[after]]
    moved = lambda change: {"source": Output(None, change["source"](jnp.asarray(x)) @ kernel)}
    a = np.asarray(jax.random.beta(named(here.key, "share"), 0.2, 0.2, (3,)))[domain]
    log_p = np.log(softmax((a[:, None] * x + (1 - a[:, None]) * x[other]) @ kernel))
    want = -(a * log_p[np.arange(15), Y] + (1 - a) * log_p[np.arange(15), Y[other]]).mean()
    found = jax.jit(lambda here: method.terms(Own({}, {}, moved=moved), {"source": S}, BATCH, here).losses["mixed"])
    np.testing.assert_allclose(found(here), want, rtol=1e-9)
    assert sorted(np.asarray(jax.jit(lambda key: partners([5], key))(here.key)[0])) == list(range(5))


def tree(x):
    return {"params": {"w": jnp.float64(x)}, "stats": {"all": jnp.float64(x)}}


def averaged(losses, tolerance=1.3):
    """The mean of the weights 0, 1, 2, ... of segments with these validation losses, by the paper's rules."""
    begin = next((i - 2 for i in range(2, len(losses)) if losses[i - 2] <= min(losses[i - 2 : i + 1])), None)
    if begin is None:
        return None
    most = tolerance * np.mean(losses[begin : begin + 3])
    for i in range(begin + 5, len(losses)):
        if min(losses[i - 5 : i + 1]) > most:
            return np.mean(range(begin, i - 5)) if i - 5 > begin else None
    inside = [j for j in range(begin, len(losses)) if min(losses[j:]) <= most]
    return np.mean(inside) if inside else None


FALLS, VALLEY = [3, 2, 1.5], [1, 1.2, 1.1, 0.9, 1.0, 1.2]


@pytest.mark.parametrize(
    "losses", [FALLS, FALLS + VALLEY, FALLS + VALLEY + [2] * 4, FALLS + VALLEY + [2] * 8, [*VALLEY, 2, 2, 0.9, 2]]
)
def test_swad_averages_from_where_the_loss_stops_falling_to_where_it_has_risen(losses):
    own = swad().init(None, type("E", (), {"logits": S.logits}), Model({"w": jnp.zeros(())}, {"all": 0.0}, {}, {}))
    memory = jax.tree.map(jnp.asarray, own.memory)
    step = jax.jit(passed)
    for i, loss in enumerate(losses):
        segment = {**memory["segment"], "mean": tree(i), "loss": jnp.float64(4 * loss), "held": jnp.float64(4)}
        memory = step({**memory, "segment": segment}, 1.3)
    now = Model({"w": jnp.float64(-7)}, jnp.float64(-7), memory, {})
    found, want = in_the_valley(now, "target"), averaged(losses)
    np.testing.assert_allclose(found["params"]["w"], -7 if want is None else want)
    np.testing.assert_allclose(found["stats"], found["params"]["w"])


def test_swad_measures_what_it_holds_out_and_begins_a_segment_in_time():
    method = swad(every=0.25)
    kept = np.asarray(jax.jit(lambda: held_out(("a", "b", "c"), PARTS, 0.2))())
    assert 0 < kept.sum() < 15
    each = -np.log(softmax(S.logits)[np.arange(15), Y])
    own = method.init(None, type("E", (), {"logits": S.logits}), Model({"w": jnp.float64(1)}, {"all": 1.0}, {}, {}))
    memory = jax.tree.map(jnp.asarray, own.memory)
    out = {"source": S, "measured": S}
    found = jax.jit(lambda: method.terms(Own({}, memory), out, BATCH, at(method)).losses["learnt"])()
    np.testing.assert_allclose(found, each[~kept].mean(), rtol=1e-9)
    after = jax.jit(lambda model, progress: method.after(model, out, BATCH, at(method, progress)))
    for progress, w in ((0.0, 1.0), (0.125, 3.0), (0.25, 9.0)):
        memory = after(Model({"w": jnp.float64(w)}, {"all": jnp.float64(w)}, memory, {}), progress)
    assert memory["queue"]["mean"]["params"]["w"][-1] == 2.0
    np.testing.assert_allclose(memory["queue"]["loss"][-1], each[kept].mean(), rtol=1e-9)
    assert (memory["segment"]["mean"]["params"]["w"], memory["segment"]["steps"]) == (9.0, 1)
