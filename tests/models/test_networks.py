"""Every network keeps the contract of `core.types.Network`."""

from collections.abc import Callable
from functools import cache, partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.core.types import Network, Tree
from tl_jax.models.networks import NETWORKS, build

NAMES = ["cnn", "dtn", "lenet", "mlp"]
PLAIN = {"mlp": (("bottleneck", 0),), "lenet": (("norm", False), ("bottleneck", 0))}


class Made(NamedTuple):
    """A network with images for it; `evaluate` and `train` are compiled once for all tests."""

    network: Network
    x: jax.Array
    params: Tree
    stats: Tree
    evaluate: Callable
    train: Callable


def images(size=16, channels=1, n=4):
    return jax.random.uniform(jax.random.key(7), (n, size, size, channels))


@cache
def made(name, arguments=()):
    network = build(NETWORKS[name](**dict(arguments)), 10, form="patches")
    x = images(8)
    shapes = jax.eval_shape(network.init, jax.random.key(0), x)
    rng = np.random.default_rng(0)
    # Positive, since some are variances; drawn here, since compiling `init` takes seconds.
    stats = jax.tree.map(lambda s: jnp.array(rng.uniform(0.5, 1, s.shape), s.dtype), shapes[1])
    scale = lambda s: np.sqrt(np.prod(s.shape[:-1], initial=1))
    params = jax.tree.map(lambda s: jnp.array(rng.normal(size=s.shape) / scale(s), s.dtype), shapes[0])
    # Arguments, not closures: XLA would spend seconds folding a network of constants.
    given = (params, stats, x)
    evaluate, train = (jax.jit(partial(network.apply, train=t)) for t in (False, True))
    return Made(network, x, params, stats, partial(evaluate, *given), partial(train, *given))


def assert_close(a, b, tolerance=1e-5):
    jax.tree.map(lambda u, v: np.testing.assert_allclose(u, v, rtol=tolerance, atol=tolerance), a, b)


def assert_equal(a, b):
    jax.tree.map(np.testing.assert_array_equal, a, b)


@pytest.mark.parametrize("size", [8, 16, 28, 32])
@pytest.mark.parametrize("name", NAMES)
def test_shapes_and_groups(name, size):
    network = build(NETWORKS[name](), 10, form="patches")
    x = images(size, 3 if size == 32 else 1)
    params, stats = jax.eval_shape(network.init, jax.random.key(0), x)
    assert set(params) == {"backbone", "bottleneck", "head"}
    width = 128 if name == "cnn" else 256
    assert params["head"]["kernel"].shape == (width, 10)
    output, new = jax.eval_shape(network.apply, params, stats, x)
    assert output.features.shape == (4, width)
    assert output.logits.shape == (4, 10)
    assert jax.tree.structure(new) == jax.tree.structure(stats)


@pytest.mark.parametrize(("size", "values"), [(28, 800), (16, 200)])
def test_lenet_ends_in_the_map_of_the_protocol(size, values):
    params, _ = jax.eval_shape(build(NETWORKS["lenet"](norm=False), 10).init, jax.random.key(0), images(size))
    assert params["backbone"]["dense1"]["kernel"].shape == (values, 500)


@pytest.mark.parametrize(
    ("size", "widths", "values"), [(28, (16, 32, 64), 576), (16, (16, 32, 64), 256), (8, (4, 8), 32)]
)
def test_cnn_pools_once_a_width(size, widths, values):
    network = build(NETWORKS["cnn"](widths=widths, dense=0, bottleneck=0), 10)
    x = images(size)
    params, stats = jax.eval_shape(network.init, jax.random.key(0), x)
    found = [params["backbone"][f"conv{i + 1}"]["kernel"].shape for i in range(len(widths))]
    assert found == [(3, 3, c, d) for c, d in zip((1, *widths), widths, strict=False)]
    assert jax.eval_shape(network.apply, params, stats, x)[0].features.shape == (4, values)


def test_init_depends_on_the_key():
    init = jax.jit(build(NETWORKS["mlp"](), 10).init)
    one, again, other = (init(jax.random.key(i), images(8)) for i in (1, 1, 2))
    assert_equal(one, again)
    assert np.abs(one[0]["head"]["kernel"] - other[0]["head"]["kernel"]).max() > 0.01
    assert_equal(one[1]["bottleneck"]["norm1"], {"mean": np.zeros(256), "var": np.ones(256)})


@pytest.mark.parametrize("name", NAMES)
def test_evaluation_is_deterministic_and_leaves_the_statistics(name):
    m = made(name)
    assert_equal(m.evaluate(key=jax.random.key(3))[1], m.stats)
    assert_equal(m.evaluate(key=jax.random.key(3)), m.evaluate(key=jax.random.key(4)))


@pytest.mark.parametrize("name", NAMES)
def test_head_maps_features_to_logits(name):
    m = made(name)
    output, head = m.evaluate()[0], m.params["head"]
    assert_close(output.logits, output.features @ head["kernel"] + head["bias"][None])


@pytest.mark.parametrize("name", NAMES)
def test_dropout_depends_on_the_key_only(name):
    run = made(name).train
    first, again, other = (run(key=jax.random.key(i))[0] for i in (1, 1, 2))
    assert_equal(first, again)
    assert np.abs(first.logits - other.logits).max() > 1e-3


def test_without_key_nothing_is_dropped():
    m = made("mlp", PLAIN["mlp"])
    assert_close(m.train(), m.evaluate())


@pytest.mark.parametrize("name", sorted(PLAIN))
def test_without_batch_norm_there_are_no_statistics(name):
    network = build(NETWORKS[name](**dict(PLAIN[name])), 10)

    def run(key):
        params, stats = network.init(key, images())
        return params, stats, network.apply(params, stats, images(), train=True, key=key)[1]

    params, stats, new = jax.eval_shape(run, jax.random.key(0))
    assert set(params) == {"backbone", "head"}
    assert stats == new == {}


def test_frozen_norms_keep_their_statistics_to_the_bit():
    m = made("lenet")
    frozen = frozenset({"backbone/norm1", "bottleneck/norm1"})
    key = jax.random.key(1)
    _, new = jax.jit(partial(m.network.apply, train=True, frozen=frozen))(m.params, m.stats, m.x, key=key)
    assert_equal(new["backbone"]["norm1"], m.stats["backbone"]["norm1"])
    assert_equal(new["bottleneck"], m.stats["bottleneck"])
    assert np.abs(new["backbone"]["norm2"]["mean"] - m.stats["backbone"]["norm2"]["mean"]).max() > 0


def test_frozen_norms_normalise_with_the_running_statistics():
    m = made("lenet")
    paths = frozenset({"backbone/norm1", "backbone/norm2", "bottleneck/norm1"})
    trained, new = jax.jit(partial(m.network.apply, train=True, frozen=paths))(m.params, m.stats, m.x)
    assert_close(trained, m.evaluate()[0])
    assert_equal(new, m.stats)


@pytest.mark.parametrize("name", NAMES)
def test_bfloat16_keeps_float32_parameters_statistics_and_outputs(name):
    network = build(NETWORKS[name](), 10, jnp.bfloat16, "patches")

    def run(key):
        params, stats = network.init(key, images())
        return params, stats, network.apply(params, stats, images(), train=True, key=key)

    leaves = jax.tree.leaves(jax.eval_shape(run, jax.random.key(0)))
    assert {leaf.dtype.name for leaf in leaves} == {"float32"}


def test_bfloat16_is_near_float32():
    m = made("lenet")
    rounded = jax.jit(build(NETWORKS["lenet"](), 10, jnp.bfloat16).apply)(m.params, m.stats, m.x)[0]
    assert_close(rounded, m.evaluate()[0], 0.05)
    assert np.abs(rounded.logits - m.evaluate()[0].logits).max() > 1e-5


@pytest.mark.parametrize("name", ["lenet", "cnn", "dtn"])
def test_forms_are_the_same_network(name):
    m = made(name)
    expected = jax.jit(build(NETWORKS[name](), 10, form="lax").apply)(m.params, m.stats, m.x)
    assert_close(m.evaluate(), expected, 1e-4)


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


def test_trials_at_once_equal_trials_alone():
    network, x, params, stats, *_ = made("lenet")
    keys = jax.random.split(jax.random.key(5), 2)
    params = jax.tree.map(lambda p: jnp.stack([p, 0.9 * p]), params)
    stats = jax.tree.map(lambda s: jnp.stack([s, s]), stats)

    def run(params, stats, key):
        return train(network, x, params, stats, key)

    together = jax.jit(jax.vmap(run))(params, stats, keys)
    alone = jax.jit(run)
    for i in range(2):
        expected = alone(*jax.tree.map(lambda a, i=i: a[i], (params, stats)), keys[i])
        assert_close(jax.tree.map(lambda a, i=i: a[i], together), expected, 2e-3)
