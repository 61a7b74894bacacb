"""The perceptron: shapes, values, initial scale, dropout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.core import mlp


def test_parameters_have_the_named_shapes_and_zero_biases():
    params = mlp.init(jax.random.key(0), (3, 8, 8, 1))
    shapes = jax.tree.map(lambda leaf: leaf.shape, params)
    assert shapes == {
        "dense0": {"kernel": (3, 8), "bias": (8,)},
        "dense1": {"kernel": (8, 8), "bias": (8,)},
        "dense2": {"kernel": (8, 1), "bias": (1,)},
    }
    assert not any(params[name]["bias"].any() for name in params)


def test_outputs_are_the_equation_even_with_more_than_ten_layers():
    params = mlp.init(jax.random.key(1), (4,) * 12 + (2,))
    params = jax.tree.map(lambda leaf: leaf + 0.1, params)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    h = x
    for layer in range(12):
        h = h @ np.asarray(params[f"dense{layer}"]["kernel"]) + np.asarray(params[f"dense{layer}"]["bias"])
        h = np.maximum(h, 0) if layer < 11 else h
    np.testing.assert_allclose(mlp.apply(params, x), h, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(jax.jit(mlp.apply)(params, x[0]), h[0], rtol=1e-4, atol=1e-5)


def test_the_initial_kernels_keep_the_size_of_activations():
    params = mlp.init(jax.random.key(2), (400, 300))
    kernel = np.asarray(params["dense0"]["kernel"])
    np.testing.assert_allclose(kernel.std(), (2 / 400) ** 0.5, rtol=0.02)
    assert abs(kernel.mean()) < 1e-3
    first, second = mlp.init(jax.random.key(2), (5, 5, 5)).values()
    assert (first["kernel"] != second["kernel"]).all()


def test_many_perceptrons_are_one_program():
    keys = jax.random.split(jax.random.key(3), 3)
    x = jnp.ones((2, 4))
    one = jax.jit(lambda key: mlp.apply(mlp.init(key, (4, 6, 1)), x))
    together = jax.jit(jax.vmap(one))(keys)
    alone = [one(key) for key in keys]
    np.testing.assert_allclose(together, alone, rtol=1e-5, atol=1e-6)


def test_dropout_needs_a_key_keeps_the_mean_and_spares_the_output():
    params = mlp.init(jax.random.key(4), (3, 4000, 1))
    params = jax.tree.map(jnp.abs, params)
    x = jnp.ones((1, 3))
    plain = mlp.apply(params, x)
    np.testing.assert_array_equal(mlp.apply(params, x, 0.5), plain)
    np.testing.assert_array_equal(mlp.apply(params, x, 0.0, jax.random.key(5)), plain)
    dropped = mlp.apply(params, x, 0.5, jax.random.key(5))
    assert dropped != plain
    np.testing.assert_allclose(dropped, plain, rtol=0.1)
    np.testing.assert_array_equal(mlp.apply(params, x, 0.5, jax.random.key(5)), dropped)
    assert mlp.apply(params, x, 0.5, jax.random.key(6)) != dropped
    linear = mlp.init(jax.random.key(7), (3, 2))
    np.testing.assert_array_equal(mlp.apply(linear, x, 0.5, jax.random.key(5)), mlp.apply(linear, x))


def test_the_rate_of_dropout_may_be_swept():
    params = mlp.init(jax.random.key(4), (3, 32, 1))
    x, key = jnp.ones((2, 3)), jax.random.key(5)
    one = jax.jit(lambda rate: mlp.apply(params, x, rate, key))
    swept = jax.jit(jax.vmap(one))(jnp.asarray([0.0, 0.5]))
    np.testing.assert_allclose(swept, [one(0.0), one(0.5)], rtol=1e-5)


def test_every_parameter_gets_a_gradient():
    params = mlp.init(jax.random.key(8), (3, 16, 16, 2))
    x = jax.random.normal(jax.random.key(9), (20, 3))
    gradients = jax.jit(jax.grad(lambda params: jnp.square(mlp.apply(params, x)).sum()))(params)
    assert all(leaf.any() for leaf in jax.tree.leaves(gradients))


def test_mistakes_are_named():
    for sizes in ((3,), (3, 0, 1)):
        with pytest.raises(ValueError, match=r"sizes must be \(inputs"):
            mlp.init(jax.random.key(0), sizes)
    with pytest.raises(ValueError, match="x has 4 columns, the perceptron takes 3"):
        mlp.apply(mlp.init(jax.random.key(0), (3, 1)), jnp.ones((2, 4)))
