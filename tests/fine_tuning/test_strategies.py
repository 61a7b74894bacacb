"""Strategies as rules, and low-rank adaptation."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.core.errors import UserError
from tl_jax.core.trees import flatten, unflatten
from tl_jax.fine_tuning import strategies
from tl_jax.fine_tuning.adapters import with_adapters
from tl_jax.fine_tuning.layout import layout
from tl_jax.fine_tuning.lora import with_lora
from tl_jax.models.networks import NETWORKS, build
from tl_jax.training.freezing import resolve

X = jnp.asarray(np.random.default_rng(0).normal(size=(4, 16, 16, 3)), jnp.float32)
NET = build(NETWORKS["lenet"](), 3)
LAYOUT = layout(NET, X)
PATHS = list(flatten(jax.eval_shape(NET.init, jax.random.key(0), X)[0]))


def moving(strategy, step=0, total=100):
    factors = resolve(strategy.rules(LAYOUT, total), PATHS, step)
    return {path.rpartition("/")[0] for path, factor in factors.items() if factor}


def test_blocks_stand_in_the_order_of_use():
    names = [block[0] for block in LAYOUT.blocks]
    assert names == ["backbone/conv1", "backbone/conv2", "backbone/dense1", "bottleneck", "head"]
    assert LAYOUT.blocks[0] == ("backbone/conv1", "backbone/norm1")


EXPECTED = {
    "linear_probe": {"head"},
    "last_k": {"head", "bottleneck/dense1", "bottleneck/norm1"},
    "surgical": {"head", "backbone/conv1", "backbone/norm1"},
    "bn_only": {"head", "backbone/norm1", "backbone/norm2", "bottleneck/norm1"},
}


@pytest.mark.parametrize("name", EXPECTED)
def test_what_moves(name):
    assert moving(strategies.STRATEGIES[name]()) == EXPECTED[name]


def test_the_head_alone_then_everything():
    assert moving(strategies.lp_ft(), 49) == {"head"}
    assert len(moving(strategies.lp_ft(), 50)) == len({p.rpartition("/")[0] for p in PATHS})


def test_blocks_thaw_from_the_top():
    counts = [len(moving(strategies.gradual_unfreeze(), step)) for step in (0, 20, 40, 60, 80)]
    assert counts == sorted(set(counts))
    assert moving(strategies.gradual_unfreeze(), 20) == {"head", "bottleneck/dense1", "bottleneck/norm1"}


def test_learning_rates_fall_with_depth():
    factors = resolve(strategies.layer_decay(factor=0.5).rules(LAYOUT, 100), PATHS)
    assert [factors[p] for p in ("head/kernel", "bottleneck/dense1/kernel", "backbone/conv1/kernel")] == [
        1,
        0.5,
        0.0625,
    ]


def test_biases_and_head():
    factors = resolve(strategies.bitfit().rules(LAYOUT, 100), PATHS)
    assert {p for p, f in factors.items() if f} == {p for p in PATHS if p.endswith("/bias") or p == "head/kernel"}


@pytest.mark.parametrize("wrong", [strategies.last_k(k=9), strategies.surgical(block=7)])
def test_a_block_that_is_not_there_is_named(wrong):
    with pytest.raises(UserError, match=r"backbone/conv1, backbone/conv2"):
        wrong.rules(LAYOUT, 10)


def test_low_rank_adaptation_begins_at_the_network_and_adds_the_product():
    network = with_lora(NET, 2, 4.0)
    params, stats = network.init(jax.random.key(1), X)
    plain = {name: value for name, value in params.items() if name != "lora"}
    ours, theirs = network.apply(params, stats, X)[0].logits, NET.apply(plain, stats, X)[0].logits
    np.testing.assert_array_equal(ours, theirs)
    flat = flatten(params)
    b = "lora/bottleneck/dense1/kernel/b"
    flat[b] = jnp.ones_like(flat[b])
    a = np.asarray(flat["lora/bottleneck/dense1/kernel/a"])
    changed = flatten(plain)
    changed["bottleneck/dense1/kernel"] += 2.0 * a @ np.ones((2, a.shape[0] and flat[b].shape[1]), np.float32)
    expected = NET.apply(unflatten(changed), stats, X)[0].logits
    np.testing.assert_allclose(network.apply(unflatten(flat), stats, X)[0].logits, expected, rtol=1e-4, atol=1e-4)
    assert not any(path.startswith("lora/head") for path in flat)


def test_an_adapter_begins_at_the_network_and_adds_a_thin_layer_to_every_block():
    network = with_adapters(NET, 3)
    params, stats = network.init(jax.random.key(1), X)
    plain = {name: value for name, value in params.items() if name != "adapter"}
    ours, theirs = network.apply(params, stats, X)[0].logits, NET.apply(plain, stats, X)[0].logits
    np.testing.assert_array_equal(ours, theirs)
    flat = flatten(params["adapter"])
    blocks = {path.rpartition("/")[0].rpartition("/")[0] for path in flat}
    assert blocks == {"backbone/conv1", "backbone/conv2", "backbone/dense1", "bottleneck"}
    assert (flat["backbone/conv2/down/kernel"].shape, flat["bottleneck/up/bias"].shape) == ((50, 3), (256,))
    rng = np.random.default_rng(1)
    flat = {path: rng.normal(size=x.shape).astype(np.float32) for path, x in flat.items()}
    changed = {path: x if path.startswith("bottleneck") else np.zeros_like(x) for path, x in flat.items()}
    out = network.apply({**plain, "adapter": unflatten(changed)}, stats, X)[0]
    h = np.asarray(NET.apply(plain, stats, X)[0].features)
    d, u = (flat[f"bottleneck/{part}/kernel"] for part in ("down", "up"))
    want = h + np.maximum(h @ d + flat["bottleneck/down/bias"], 0) @ u + flat["bottleneck/up/bias"]
    np.testing.assert_allclose(out.features, want, rtol=1e-4, atol=1e-4)

    def loss(adapter, train):
        return network.apply({**plain, "adapter": adapter}, stats, X, train=train)[0].logits[:, 0].sum()

    for train in (False, True):  # behind random up-projections every part of every adapter has a gradient
        grads = flatten(jax.grad(loss)(unflatten(flat), train))
        assert all(np.isfinite(g).all() and np.abs(g).max() > 0 for path, g in grads.items()), train


def test_adapters_move_with_the_head_alone():
    shapes = jax.eval_shape(with_adapters(NET, 3).init, jax.random.key(0), X)[0]
    factors = resolve(strategies.adapter().rules(LAYOUT, 100), list(flatten(shapes)))
    assert {path.split("/")[0] for path, factor in factors.items() if factor} == {"adapter", "head"}


def test_the_matrix_of_an_attention_s_projection_maps_to_all_heads_at_once():
    net = build(NETWORKS["text_transformer"](vocabulary=9, width=16, heads=2, layers=1, bottleneck=0), 3)
    init = with_lora(net, 2, 2.0).init
    lora = jax.eval_shape(init, jax.random.key(0), jax.ShapeDtypeStruct((2, 5), jnp.int32))[0]["lora"]
    shapes = {path: x.shape for path, x in flatten(lora["backbone"]["block1"]["attention"]).items()}
    assert {shapes[f"{part}/kernel/a"] for part in ("query", "key", "value", "out")} == {(16, 2)}
    assert {shapes[f"{part}/kernel/b"] for part in ("query", "key", "value", "out")} == {(2, 16)}


@pytest.mark.parametrize("adapt", [lambda net: with_lora(net, 2, 2.0), lambda net: with_adapters(net, 2)])
def test_a_network_with_nothing_to_adapt_is_refused(adapt):
    bare = build(NETWORKS["mlp"](hidden=(), bottleneck=0), 3)
    with pytest.raises(UserError, match="under the head"):
        adapt(bare).init(jax.random.key(0), jnp.zeros((2, 4)))
