"""Heads against their formulas in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.core.errors import UserError
from tl_jax.models.heads import HEADS, unit
from tl_jax.models.networks import NETWORKS, build


def made(name, n=5, d=7, classes=3):
    keys = jax.random.split(jax.random.key(0), 3)
    x = jax.random.normal(keys[0], (n, d))
    module = HEADS[name](classes)
    params = module.init(keys[1], x, False)["params"]
    # Away from initial values, where a scale of 1 or a bias of 0 would hide a mistake.
    params = jax.tree.map(lambda p: p + jax.random.uniform(keys[2], p.shape), params)
    return module, params, x


def formula(name, params, x):
    p, x = jax.tree.map(np.asarray, params), np.asarray(x)
    if name == "mlp":
        hidden = np.maximum(x @ p["dense1"]["kernel"] + p["dense1"]["bias"], 0)
        return hidden @ p["dense2"]["kernel"] + p["dense2"]["bias"]
    w = p["kernel"]
    if name == "linear":
        return x @ w + p["bias"]
    w = w / np.linalg.norm(w, axis=0)
    if name == "weight_norm":
        return (x @ w) * p["scale"] + p["bias"]
    return p["scale"] * (x / np.linalg.norm(x, axis=1, keepdims=True)) @ w


@pytest.mark.parametrize("name", sorted(HEADS))
def test_logits_are_the_formula_and_every_parameter_has_a_gradient(name):
    module, params, x = made(name)

    def loss(params):
        logits = module.apply({"params": params}, x, False)
        return jnp.sin(logits).sum(), logits

    grads, logits = jax.grad(loss, has_aux=True)(params)
    np.testing.assert_allclose(logits, formula(name, params, x), rtol=1e-4, atol=1e-5)
    for path, grad in jax.tree.leaves_with_path(grads):
        assert np.abs(grad).max() > 1e-4, path


@pytest.mark.parametrize("name", ["cosine", "weight_norm"])
def test_length_of_the_class_weights_does_not_matter(name):
    module, params, x = made(name)
    longer = params | {"kernel": params["kernel"] * jnp.array([[1.0, 2.0, 5.0]])}
    one, other = (module.apply({"params": p}, x, False) for p in (params, longer))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_feature_of_zeros_has_finite_gradients():
    grad = jax.grad(lambda x: unit(x, 1)[0, 0])(jnp.zeros((2, 3)))
    assert np.isfinite(grad).all()
    np.testing.assert_array_equal(unit(jnp.zeros((2, 3)), 1), np.zeros((2, 3)))


def test_mlp_head_drops_in_training():
    module, params, x = made("mlp")
    apply = lambda key: module.apply({"params": params}, x, True, rngs={"dropout": jax.random.key(key)})
    assert np.abs(apply(1) - apply(2)).max() > 1e-3


@pytest.mark.parametrize("name", sorted(HEADS))
def test_networks_carry_the_head(name):
    network = build(NETWORKS["mlp"](head=name), 10)
    params, stats = jax.eval_shape(network.init, jax.random.key(0), jnp.zeros((2, 8)))
    assert set(params) == {"backbone", "bottleneck", "head"}
    assert jax.eval_shape(network.apply, params, stats, jnp.zeros((2, 8)))[0].logits.shape == (2, 10)


def test_an_unknown_head_lists_what_there_is():
    with pytest.raises(UserError, match=r"Unknown head 'cosin'. Did you mean 'cosine'\? Available: linear, mlp"):
        build(NETWORKS["mlp"](head="cosin"), 10)
