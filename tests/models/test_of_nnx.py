"""A trunk in Flax NNX is as one in Linen: parameters, statistics, dropout, frozen modules, order of blocks."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from tl_jax.core.errors import UserError
from tl_jax.core.trees import flatten
from tl_jax.fine_tuning.layout import layout
from tl_jax.models.networks import build
from tl_jax.models.of_nnx import of_nnx


class Mixer(nnx.Module):
    def __init__(self, width, *, rngs):
        self.second = nnx.Linear(8, width, rngs=rngs)  # names in another order than they are used
        self.norm = nnx.BatchNorm(width, momentum=0.9, rngs=rngs)
        self.first = nnx.List([nnx.Linear(width, width, rngs=rngs)])
        self.drop = nnx.Dropout(0.5, rngs=rngs)

    def __call__(self, x):
        return self.drop(self.first[0](self.norm(self.second(x))))


X = jax.random.normal(jax.random.key(5), (10, 8))
NET = build(of_nnx(lambda rngs: Mixer(6, rngs=rngs)), 3)


@pytest.fixture(scope="module")
def begun():
    return NET.init(jax.random.key(1), X)


@pytest.fixture(scope="module")
def apply():
    return jax.jit(NET.apply, static_argnames=("train", "frozen"))


def test_parameters_have_paths_and_begin_by_the_seed(begun):
    params, stats = begun
    names = {"second/kernel", "second/bias", "norm/scale", "norm/bias", "first/0/kernel", "first/0/bias"}
    assert set(flatten(params)) == {f"backbone/{name}" for name in names} | {"head/kernel", "head/bias"}
    assert set(flatten(stats)) == {"backbone/norm/mean", "backbone/norm/var"}
    other = NET.init(jax.random.key(2), X)[0]
    assert jnp.abs(params["backbone"]["second"]["kernel"] - other["backbone"]["second"]["kernel"]).max() > 0.1
    several = jax.vmap(lambda key: NET.init(key, X)[0])(jax.random.split(jax.random.key(0), 2))
    assert several["backbone"]["second"]["kernel"].shape == (2, 8, 6)
    found = layout(NET, X)
    assert found.blocks == (("backbone/second", "backbone/norm"), ("backbone/first",), ("head",))
    assert found.norms == ("backbone/norm",)


def test_statistics_move_by_the_batch_and_are_what_evaluation_goes_by(begun, apply):
    params, stats = begun
    own = params["backbone"]
    own = jax.tree.map(np.asarray, own)
    hidden = np.asarray(X) @ own["second"]["kernel"] + own["second"]["bias"]
    _, moved = apply(params, stats, X, True, jax.random.key(0))
    np.testing.assert_allclose(moved["backbone"]["norm"]["mean"], 0.1 * hidden.mean(0), atol=1e-6)
    np.testing.assert_allclose(moved["backbone"]["norm"]["var"], 0.9 + 0.1 * hidden.var(0), atol=1e-6)
    said, same = apply(params, moved, X)
    norm = jax.tree.map(np.asarray, moved["backbone"]["norm"])
    z = (hidden - norm["mean"]) / np.sqrt(norm["var"] + 1e-5) * own["norm"]["scale"] + own["norm"]["bias"]
    want = z @ own["first"]["0"]["kernel"] + own["first"]["0"]["bias"]
    np.testing.assert_allclose(said.features, want, rtol=1e-4, atol=1e-5)
    assert jax.tree.all(jax.tree.map(lambda a, b: (a == b).all(), same, moved))


def test_a_frozen_module_keeps_its_statistics_and_uses_them(begun, apply):
    params, stats = begun
    said, kept = apply(params, stats, X, True, None, frozenset({"backbone/norm"}))
    assert (kept["backbone"]["norm"]["mean"] == stats["backbone"]["norm"]["mean"]).all()
    np.testing.assert_array_equal(said.logits, apply(params, stats, X)[0].logits)


def test_dropout_goes_by_the_key_that_is_given(begun, apply):
    params, stats = begun
    one, again, other = (apply(params, stats, X, True, jax.random.key(seed))[0].features for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, again)
    assert ((one == 0) != (other == 0)).any()
    assert 0.3 < (one == 0).mean() < 0.7
    assert (apply(params, stats, X, True, None)[0].features != 0).all()


def test_every_parameter_has_its_gradient(begun):
    params, stats = begun
    loss = lambda p: (NET.apply(p, stats, X, True, jax.random.key(0))[0].logits ** 2).sum()
    found = flatten(jax.grad(loss)(params))
    assert all(
        jnp.abs(g).max() > 1e-3 for path, g in found.items() if path != "backbone/second/bias"
    )  # normalised away


def test_what_cannot_be_handed_on_is_refused(begun):
    class Counts(nnx.Module):
        def __init__(self, rngs):
            self.seen = nnx.Variable(jnp.zeros(()))

        def __call__(self, x):
            return x

    with pytest.raises(UserError, match="Counts keeps Variable"):
        build(of_nnx(Counts), 3).init(jax.random.key(0), X)
    with pytest.raises(UserError, match="no parameter `dtype`"):
        build(of_nnx(lambda rngs: Mixer(6, rngs=rngs)), 3, jnp.bfloat16)
    params, stats = begun
    with pytest.raises(UserError, match="this method asks for a mixture"):
        NET.apply(params, stats, X, True, None, mixed={"backbone": {"norm": {"mean": jnp.ones(6)}}})
