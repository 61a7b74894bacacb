"""Gradient reversal: the identity forward, a turned and scaled derivative backward."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from samples import draw

from tl_jax.losses import classes

pytestmark = pytest.mark.usefixtures("double")


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_reversal_is_the_identity_to_the_bit(dtype):
    x = draw(12, 3, 4, scale=1e3).astype(dtype)
    out = jax.jit(classes.gradient_reversal)(x, 0.3)
    assert out.dtype == dtype
    assert np.asarray(out).tobytes() == x.tobytes()


@pytest.mark.parametrize("coefficient", [0.0, 0.25, 2, np.float32(0.5)])
def test_reversal_turns_the_derivative_in_both_modes(coefficient):
    x = jnp.asarray(draw(12, 4))
    for jacobian in (jax.jacrev, jax.jacfwd):
        np.testing.assert_allclose(
            jacobian(classes.gradient_reversal)(x, coefficient), -float(coefficient) * np.eye(4), rtol=1e-7
        )


def test_reversal_takes_a_traced_coefficient_and_gives_it_no_gradient():
    x = jnp.asarray(draw(12, 4))
    loss = lambda x, c: jnp.square(classes.gradient_reversal(x, c)).sum()
    g_x, g_c = jax.jit(jax.grad(loss, (0, 1)))(x, jnp.asarray(0.7))
    np.testing.assert_allclose(g_x, -0.7 * 2 * np.asarray(x), rtol=1e-12)
    assert g_c == 0
    sweep = jnp.asarray([0.0, 0.5, 1.0])
    each = jax.vmap(jax.grad(loss), (None, 0))(x, sweep)
    np.testing.assert_allclose(each, -np.asarray(sweep)[:, None] * 2 * np.asarray(x)[None, :], rtol=1e-12)


def test_two_reversals_restore_the_derivative_inside_scan():
    def loss(x):
        step = lambda x, c: (classes.gradient_reversal(x, c), None)
        return jax.lax.scan(step, x, jnp.asarray([0.5, 3.0]))[0].sum()

    np.testing.assert_allclose(jax.jit(jax.grad(loss))(np.ones(3)), np.full(3, 1.5))


def test_an_adversary_learns_while_the_features_unlearn():
    features, weights = jnp.asarray(draw(13, 6, 3)), jnp.asarray(draw(14, 3))

    def loss(features, weights, reverse):
        f = classes.gradient_reversal(features, 0.4) if reverse else features
        return classes.domain_logistic(f[:3] @ weights, f[3:] @ weights)

    gradients = jax.jit(jax.grad(loss, (0, 1)), static_argnums=2)
    g_f, g_w = gradients(features, weights, False)
    r_f, r_w = gradients(features, weights, True)
    np.testing.assert_allclose(r_w, g_w, rtol=1e-12)
    np.testing.assert_allclose(r_f, -0.4 * g_f, rtol=1e-12)
