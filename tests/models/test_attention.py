"""Attention, products and activations in the form that a CPU runs faster are JAX's own to rounding."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from tl_jax.models.parts.attention import attend
from tl_jax.models.parts.transformer import dense, gelu

N, T, H, E = 2, 5, 3, 4
RNG = np.random.default_rng(0)
Q, K, V, DY = (jnp.asarray(RNG.normal(size=(N, T, H, E)), jnp.float32) for _ in range(4))
WORDS = jnp.arange(T)[None, None, None] < jnp.array([3, 0])[:, None, None, None]  # the second text has none
NEAR = jnp.asarray(abs(np.arange(T)[:, None] - np.arange(T)) < 2)[None, None]
BIAS = jnp.asarray(RNG.normal(size=(N, H, T, T)), jnp.float32)


def assert_alike(ours, theirs):
    for a, b in zip(jax.tree.leaves(ours), jax.tree.leaves(theirs), strict=True):
        np.testing.assert_allclose(a, b, atol=2e-6)


@pytest.mark.parametrize(
    ("how", "theirs"),
    [
        ({}, {}),
        ({"mask": WORDS}, {"mask": WORDS}),
        ({"mask": WORDS & NEAR, "bias": BIAS, "scale": 0.3}, {"mask": WORDS & NEAR, "bias": BIAS, "scale": 0.3}),
        ({"causal": True, "mask": WORDS}, {"is_causal": True, "mask": WORDS}),
    ],
    ids=("all", "words", "biased", "causal"),
)
def test_values_and_gradients_of_attention_are_those_of_jax(how, theirs):
    y, back = jax.vjp(lambda *x: attend(*x, **how), Q, K, V)
    other, other_back = jax.vjp(lambda *x: jax.nn.dot_product_attention(*x, **theirs), Q, K, V)
    assert_alike((y, back(DY)), (other, other_back(DY)))


def test_attention_of_half_precision_has_jax_softmax_in_float32():
    q, k, v = (x.astype(jnp.bfloat16) for x in (Q, K, V))
    assert (attend(q, k, v, mask=WORDS) == jax.nn.dot_product_attention(q, k, v, mask=WORDS)).all()


def test_gelu_and_its_slope_are_those_of_jax():
    x = jnp.linspace(-12, 12, 1001)
    theirs = lambda x: jax.nn.gelu(x, approximate=False)
    np.testing.assert_allclose(gelu(x), theirs(x), rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(jax.vmap(jax.grad(gelu))(x), jax.vmap(jax.grad(theirs))(x), atol=2e-6)


def test_a_dense_layer_is_flax_to_values_gradients_and_names():
    ours, theirs = dense(6, jnp.float32, "a"), nn.Dense(6)
    params = ours.init(jax.random.key(0), Q)
    assert jax.tree.map(jnp.shape, params) == jax.tree.map(jnp.shape, theirs.init(jax.random.key(0), Q))
    ones = jnp.ones((N, T, H, 6))
    y, back = jax.vjp(ours.apply, params, Q)
    other, other_back = jax.vjp(theirs.apply, params, Q)
    assert_alike((y, back(ones)), (other, other_back(ones)))
