"""Batch normalisation, dropout and pooling against NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.models.parts.layers import BatchNorm, Dropout, max_pool


def batch_norm(dtype=jnp.float32, shape=(4, 3, 3, 5)):
    x = 3 + 2 * jax.random.normal(jax.random.key(0), shape)
    params = {"scale": jnp.linspace(0.5, 2, shape[-1]), "bias": jnp.linspace(-1, 1, shape[-1])}
    stats = {"mean": jnp.linspace(0, 1, shape[-1]), "var": jnp.linspace(1, 2, shape[-1])}
    return BatchNorm(dtype=dtype), x, {"params": params, "batch_stats": stats}


@pytest.mark.parametrize("shape", [(4, 3, 3, 5), (8, 5)])
def test_training_normalises_with_the_batch_and_moves_the_running_statistics(shape):
    module, x, variables = batch_norm(shape=shape)
    y, updated = module.apply(variables, x, True, mutable=["batch_stats"])
    a = np.asarray(x, np.float64).reshape(-1, shape[-1])
    mean, var = a.mean(0), a.var(0)
    p, s = variables["params"], variables["batch_stats"]
    expected = (a - mean) / np.sqrt(var + 1e-5) * np.asarray(p["scale"]) + np.asarray(p["bias"])
    np.testing.assert_allclose(np.asarray(y).reshape(a.shape), expected, rtol=1e-5, atol=1e-5)
    new = updated["batch_stats"]
    np.testing.assert_allclose(new["mean"], 0.9 * np.asarray(s["mean"]) + 0.1 * mean, rtol=1e-5)
    np.testing.assert_allclose(new["var"], 0.9 * np.asarray(s["var"]) + 0.1 * var, rtol=1e-5)


def test_gradients_are_those_of_the_formula():
    module, x, variables = batch_norm(shape=(16, 3))
    w = jax.random.normal(jax.random.key(1), x.shape)

    def loss(x, params, apply):
        return (w * jnp.sin(apply(x, params))).sum()

    def module_apply(x, params):
        return module.apply({**variables, "params": params}, x, True, mutable=["batch_stats"])[0]

    def formula(x, params):
        z = (x - x.mean(0, keepdims=True)) / jnp.sqrt(x.var(0, keepdims=True) + 1e-5)
        return z * params["scale"][None] + params["bias"][None]

    grads = [jax.grad(loss, (0, 1))(x, variables["params"], f) for f in (module_apply, formula)]
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), *grads)


def test_large_mean_does_not_cancel_the_variance():
    module, x, variables = batch_norm()
    shifted = x + 1000
    _, updated = module.apply(variables, shifted, True, mutable=["batch_stats"])
    var = np.asarray(shifted, np.float64).reshape(-1, 5).var(0)
    expected = 0.9 * np.asarray(variables["batch_stats"]["var"]) + 0.1 * var
    np.testing.assert_allclose(updated["batch_stats"]["var"], expected, rtol=1e-4)


def test_evaluation_normalises_with_the_running_statistics():
    module, x, variables = batch_norm()
    y = module.apply(variables, x)
    p, s = (jax.tree.map(np.asarray, variables[k]) for k in ("params", "batch_stats"))
    expected = (np.asarray(x) - s["mean"]) / np.sqrt(s["var"] + 1e-5) * p["scale"] + p["bias"]
    np.testing.assert_allclose(y, expected, rtol=1e-5, atol=1e-5)


def test_statistics_are_float32_in_bfloat16():
    module, x, variables = batch_norm(jnp.bfloat16)
    y, updated = module.apply(variables, x.astype(jnp.bfloat16), True, mutable=["batch_stats"])
    assert y.dtype == jnp.bfloat16
    assert {v.dtype.name for v in jax.tree.leaves(updated)} == {"float32"}


def test_dropout_rate_and_scale():
    x = jnp.ones((400, 100))
    y = Dropout(0.3).apply({}, x, True, rngs={"dropout": jax.random.key(0)})
    assert abs(float((y == 0).mean()) - 0.3) < 0.01
    np.testing.assert_allclose(np.unique(y), [0, 1 / 0.7], rtol=1e-6)
    np.testing.assert_array_equal(Dropout(0.3).apply({}, x, False), x)


def test_channel_dropout_keeps_or_zeroes_whole_channels():
    x = jnp.ones((8, 3, 3, 16))
    y = np.asarray(Dropout(0.5, channels=True).apply({}, x, True, rngs={"dropout": jax.random.key(0)}))
    np.testing.assert_array_equal(y, np.broadcast_to(y[:, :1, :1], y.shape))
    assert 0.3 < (y == 0).mean() < 0.7


def test_dropout_without_key_keeps_everything():
    x = jnp.ones((2, 3))
    np.testing.assert_array_equal(Dropout(0.5).apply({}, x, True), x)


@pytest.mark.parametrize(("window", "stride", "padding"), [(2, 2, 0), (3, 2, 1), (3, 3, 0)])
def test_max_pool_is_reduce_window(window, stride, padding):
    x = jax.random.normal(jax.random.key(0), (2, 9, 11, 3))
    w = 1 + jnp.arange(3.0).reshape(1, 1, 1, 3)

    def reduce_window(x):
        margins = ((0, 0), (padding, padding), (padding, padding), (0, 0))
        window_, strides = (1, window, window, 1), (1, stride, stride, 1)
        return jax.lax.reduce_window(x, -jnp.inf, jax.lax.max, window_, strides, margins)

    def value_and_grad(pool):
        return pool(x), jax.grad(lambda x: (w * pool(x)).sum())(x)

    ours = jax.jit(value_and_grad, static_argnums=0)(lambda x: max_pool(x, window, stride, padding))
    theirs = jax.jit(value_and_grad, static_argnums=0)(reduce_window)
    np.testing.assert_array_equal(ours[0], theirs[0])
    np.testing.assert_allclose(ours[1], theirs[1], rtol=1e-5, atol=1e-5)
