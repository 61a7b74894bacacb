"""Every network keeps the contract of `core.types.Network`."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.models.networks import NETWORKS, build

NAMES = sorted(NETWORKS)
PLAIN = {"mlp": {"bottleneck": 0}, "lenet": {"norm": False, "bottleneck": 0}}


def images(size=16, channels=1, n=4):
    return jax.random.uniform(jax.random.key(7), (n, size, size, channels))


def made(name, arguments=None, size=16, channels=1, **options):
    network = build((name, arguments or {}), 10, **{"form": "patches", **options})
    x = images(size, channels)
    return network, x, *network.init(jax.random.key(0), x)


def assert_close(a, b, tolerance=1e-5):
    jax.tree.map(lambda u, v: np.testing.assert_allclose(u, v, rtol=tolerance, atol=tolerance), a, b)


def assert_equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("size", [8, 16, 28, 32])
@pytest.mark.parametrize("name", NAMES)
def test_shapes_and_groups(name, size):
    network = build((name, {}), 10, form="patches")
    x = images(size, 3 if size == 32 else 1)
    params, stats = jax.eval_shape(network.init, jax.random.key(0), x)
    assert set(params) == {"backbone", "bottleneck", "head"}
    assert params["head"]["kernel"].shape == (256, 10)
    output, new = jax.eval_shape(lambda p, s, x: network.apply(p, s, x), params, stats, x)
    assert output.features.shape == (4, 256)
    assert output.logits.shape == (4, 10)
    assert jax.tree.structure(new) == jax.tree.structure(stats)


def test_lenet_at_28_has_the_800_values_of_the_protocol():
    *_, params, _ = made("lenet", {"norm": False}, size=28)
    assert params["backbone"]["dense1"]["kernel"].shape == (800, 500)
    *_, params, _ = made("lenet", {"norm": False}, size=16)
    assert params["backbone"]["dense1"]["kernel"].shape == (200, 500)


@pytest.mark.parametrize("name", NAMES)
def test_evaluation_is_deterministic_and_leaves_the_statistics(name):
    network, x, params, stats = made(name)
    first, same = network.apply(params, stats, x)
    second, _ = network.apply(params, stats, x, key=jax.random.key(3))
    assert same is stats
    assert_equal(first, second)


@pytest.mark.parametrize("name", NAMES)
def test_head_maps_features_to_logits(name):
    network, x, params, stats = made(name, dtype=jnp.bfloat16)
    output, _ = network.apply(params, stats, x)
    head = params["head"]
    assert_close(output.logits, output.features @ head["kernel"] + head["bias"][None])


@pytest.mark.parametrize("name", NAMES)
def test_dropout_depends_on_the_key_only(name):
    network, x, params, stats = made(name)
    run = jax.jit(lambda key: network.apply(params, stats, x, train=True, key=key)[0])
    first, again, other = run(jax.random.key(1)), run(jax.random.key(1)), run(jax.random.key(2))
    assert_equal(first, again)
    assert np.abs(first.logits - other.logits).max() > 1e-3
    with pytest.raises(ValueError, match="key"):
        network.apply(params, stats, x, train=True)


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_without_batch_norm_there_are_no_statistics(name):
    network, x, params, stats = made(name, PLAIN[name])
    assert stats == {}
    assert set(params) == {"backbone", "head"}
    assert network.apply(params, stats, x, train=True, key=jax.random.key(0))[1] == {}


def test_frozen_norms_keep_their_statistics_to_the_bit():
    network, x, params, stats = made("dtn")
    frozen = frozenset({"backbone/norm1", "bottleneck/norm1"})

    @jax.jit
    def train(stats):
        return network.apply(params, stats, x, train=True, key=jax.random.key(1), frozen=frozen)[1]

    new = train(stats)
    assert_equal(new["backbone"]["norm1"], stats["backbone"]["norm1"])
    assert_equal(new["bottleneck"], stats["bottleneck"])
    for name in ("norm2", "norm3", "norm4"):
        assert np.abs(new["backbone"][name]["mean"] - stats["backbone"][name]["mean"]).max() > 0


def test_frozen_norms_normalise_with_the_running_statistics():
    network, x, params, stats = made("lenet", {"dropout": 0.0})
    paths = frozenset({"backbone/norm1", "backbone/norm2", "bottleneck/norm1"})
    trained, new = network.apply(params, stats, x, train=True, frozen=paths)
    evaluated, _ = network.apply(params, stats, x)
    assert_equal(trained, evaluated)
    assert_equal(new, stats)


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_keeps_float32_parameters_statistics_and_outputs(name):
    network, x, params, stats = made(name, dtype=jnp.bfloat16)
    output, new = network.apply(params, stats, x, train=True, key=jax.random.key(0))
    assert {leaf.dtype.name for leaf in jax.tree.leaves((params, stats, new, output))} == {"float32"}


@pytest.mark.parametrize("name", ["lenet", "dtn"])
def test_forms_are_the_same_network(name):
    network, x, params, stats = made(name)
    expected = build((name, {}), 10, form="lax").apply(params, stats, x)[0]
    assert_close(network.apply(params, stats, x)[0], expected, 1e-4)


def train(network, x, params, stats, key):
    """Two steps of gradient descent in a scan."""
    labels = jnp.arange(x.shape[0]) % 10

    def loss(params, stats, key):
        output, stats = network.apply(params, stats, x, train=True, key=key)
        return -jnp.take_along_axis(jax.nn.log_softmax(output.logits), labels[:, None], 1).mean(), stats

    def body(carry, key):
        params, stats = carry
        (value, stats), grads = jax.value_and_grad(loss, has_aux=True)(params, stats, key)
        return (jax.tree.map(lambda p, g: p - 0.01 * g, params, grads), stats), value

    return jax.lax.scan(body, (params, stats), jax.random.split(key, 2))


@pytest.mark.parametrize("name", NAMES)
def test_trials_at_once_equal_trials_alone(name):
    network, x, _, _ = made(name)
    keys = jax.random.split(jax.random.key(5), 2)
    params, stats = jax.jit(jax.vmap(network.init, (0, None)))(keys, x)

    def run(params, stats, key):
        return train(network, x, params, stats, key)

    together = jax.jit(jax.vmap(run))(params, stats, keys)
    alone = jax.jit(run)
    for i in range(2):
        expected = alone(*jax.tree.map(lambda a, i=i: a[i], (params, stats)), keys[i])
        assert_close(jax.tree.map(lambda a, i=i: a[i], together), expected, 2e-3)
