"""The perceptron: shapes, values, initial scale, dropout."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.losses import mlp

# One size and one program for most tests: what is slow here is compiling the random numbers.
INIT = jax.jit(lambda key: mlp.init(key, (3, 64, 64, 2)))
X = np.random.default_rng(0).normal(size=(20, 3)).astype(np.float32)


@functools.cache
def params():
    return INIT(jax.random.key(0))


def test_parameters_have_the_named_shapes_and_zero_biases():
    assert jax.tree.map(lambda leaf: leaf.shape, params()) == {
        "dense0": {"kernel": (3, 64), "bias": (64,)},
        "dense1": {"kernel": (64, 64), "bias": (64,)},
        "dense2": {"kernel": (64, 2), "bias": (2,)},
    }
    for layer in params().values():
        assert not layer["bias"].any()
        assert layer["kernel"].all()


def test_the_initial_kernels_keep_the_size_of_activations_and_differ():
    kernel = np.asarray(params()["dense1"]["kernel"])
    np.testing.assert_allclose(kernel.std(), (2 / 64) ** 0.5, rtol=0.05)
    assert abs(kernel.mean()) < 0.01
    square = jax.jit(lambda key: mlp.init(key, (5, 5, 5)))(jax.random.key(0))
    assert (square["dense0"]["kernel"] != square["dense1"]["kernel"]).all()


def test_outputs_are_the_equation_even_with_more_than_ten_layers():
    rng = np.random.default_rng(1)
    deep = {f"dense{layer}": {"kernel": rng.normal(size=(3, 3)), "bias": rng.normal(size=3)} for layer in range(12)}
    deep = jax.tree.map(np.float32, deep)
    h = X
    for layer in range(12):
        h = h @ deep[f"dense{layer}"]["kernel"] + deep[f"dense{layer}"]["bias"]
        h = np.maximum(h, 0) if layer < 11 else h
    np.testing.assert_allclose(mlp.apply(deep, X), h, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(jax.jit(mlp.apply)(deep, X[0]), h[0], rtol=1e-3, atol=1e-4)


def test_many_perceptrons_are_one_program():
    keys = jax.random.split(jax.random.key(3), 3)
    init = jax.jit(jax.vmap(lambda key: mlp.init(key, (2, 2))))
    one = init(keys[1:2])
    jax.tree.map(lambda a, b: np.testing.assert_array_equal(a[1], b[0]), init(keys), one)
    trials = jax.tree.map(lambda leaf: np.stack([leaf, leaf + 1]), params())
    outputs = jax.jit(jax.vmap(mlp.apply, (0, None)))(trials, X)
    alone = [mlp.apply(jax.tree.map(lambda leaf, i=i: leaf[i], trials), X) for i in range(2)]
    np.testing.assert_allclose(outputs, alone, rtol=1e-4, atol=1e-5)


def test_dropout_needs_a_key_and_spares_the_output():
    plain, key = mlp.apply(params(), X), jax.random.key(5)
    drop = jax.jit(mlp.apply)
    np.testing.assert_array_equal(mlp.apply(params(), X, 0.5), plain)
    dropped = drop(params(), X, 0.5, key)
    assert (dropped != plain).all()
    np.testing.assert_array_equal(drop(params(), X, 0.5, key), dropped)
    assert (drop(params(), X, 0.5, jax.random.key(6)) != dropped).all()
    np.testing.assert_allclose(drop(params(), X, 0.0, key), plain, rtol=1e-5, atol=1e-6)
    linear = {"dense0": {"kernel": np.ones((3, 2), np.float32), "bias": np.ones(2, np.float32)}}
    np.testing.assert_array_equal(mlp.apply(linear, X, 0.5, key), mlp.apply(linear, X))


def test_dropout_keeps_the_mean_at_any_rate():
    wide = {
        "dense0": {"kernel": np.ones((1, 10_000), np.float32), "bias": np.zeros(10_000, np.float32)},
        "dense1": {"kernel": np.full((10_000, 1), 1e-4, np.float32), "bias": np.zeros(1, np.float32)},
    }
    one = lambda rate: mlp.apply(wide, np.ones((1, 1), np.float32), rate, jax.random.key(0))
    swept = jax.jit(jax.vmap(one))(jnp.asarray([0.0, 0.2, 0.8]))
    np.testing.assert_allclose(swept[:, 0, 0], 1, atol=0.08)
    assert len(np.unique(swept)) == 3


def test_every_parameter_gets_a_gradient():
    gradients = jax.jit(jax.grad(lambda p: jnp.square(mlp.apply(p, X)).sum()))(params())
    assert all(leaf.any() for leaf in jax.tree.leaves(gradients))


@pytest.mark.parametrize("sizes", [(3,), (3, 0, 1)])
def test_sizes_that_make_no_perceptron_are_refused(sizes):
    with pytest.raises(ValueError, match=r"sizes must be \(inputs"):
        mlp.init(jax.random.key(0), sizes)


def test_another_number_of_columns_is_named():
    with pytest.raises(ValueError, match="x has 4 columns, the perceptron takes 3"):
        mlp.apply(params(), jnp.ones((2, 4)))
