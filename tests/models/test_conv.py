"""The two forms of convolution agree in values and gradients, alone, in a scan and over trials."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.models.parts.conv import FORMS, Conv, conv2d, conv_form

CASES = [
    # size, kernel, strides, padding
    ((9, 7), (1, 1), (2, 2), "SAME"),
    ((9, 7), (3, 3), (1, 1), 1),
    ((9, 8), (3, 3), (2, 2), "SAME"),
    ((9, 7), (5, 5), (1, 1), "VALID"),
    ((9, 7), (5, 5), (2, 2), 2),
    ((8, 9), (5, 3), (2, 1), "SAME"),
    ((11, 11), (7, 7), (2, 2), 3),
    ((6, 6), (2, 2), (3, 3), "VALID"),
    ((7, 9), (3, 2), (3, 2), "VALID"),
]


def inputs(size, kernel, dtype=jnp.float32):
    kx, kk = jax.random.split(jax.random.key(0))
    x = jax.random.normal(kx, (2, *size, 3), dtype)
    return x, jax.random.normal(kk, (*kernel, 3, 4), dtype) / kernel[0]


def value_and_grads(x, kernel, strides, padding, form):
    def loss(x, kernel):
        y = conv2d(x, kernel, strides, padding, form)
        return jnp.square(y).sum() + jnp.sin(y).sum(), y

    grads, y = jax.grad(loss, (0, 1), has_aux=True)(x, kernel)
    return y, *grads


@pytest.mark.parametrize(("size", "kernel", "strides", "padding"), CASES)
def test_forms_agree(size, kernel, strides, padding):
    x, k = inputs(size, kernel)
    run = jax.jit(lambda x, k: [value_and_grads(x, k, strides, padding, form) for form in FORMS])
    for a, b in zip(*run(x, k), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


def test_forms_agree_over_trials_and_in_a_scan():
    x, k = inputs((8, 8), (3, 3))
    kernels = jnp.stack([k, 2 * k, -k])

    def body(kernel, _):
        y, _, dk = value_and_grads(x, kernel, (1, 1), 1, "patches")
        return kernel - 0.01 * dk, y

    one = jax.jit(lambda kernel: jax.lax.scan(body, kernel, None, length=2))
    many = jax.jit(jax.vmap(one))(kernels)
    for t in range(3):
        for a, b in zip(many, one(kernels[t]), strict=True):
            np.testing.assert_allclose(a[t], b, rtol=1e-4, atol=1e-4)
    y = jax.vmap(lambda kernel: conv2d(x, kernel, (1, 1), 1, "lax"))(kernels)
    np.testing.assert_allclose(many[1][:, 0], y, rtol=2e-5, atol=2e-5)


@pytest.mark.parametrize(("size", "kernel", "strides", "padding"), CASES)
def test_depthwise_forms_agree(size, kernel, strides, padding):
    x, k = inputs(size, kernel)
    run = jax.jit(lambda x, k: [value_and_grads(x, k, strides, padding, form) for form in FORMS])
    for a, b in zip(*run(x, k[:, :, :1, :3]), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-5, atol=2e-5)


def test_depthwise_treats_every_channel_alone():
    x, _ = inputs((6, 6), (3, 3))
    module = Conv(3, 3, depthwise=True, form="patches")
    variables = module.init(jax.random.key(0), x)
    kernel = variables["params"]["kernel"]
    assert kernel.shape == (3, 3, 1, 3)
    y = module.apply(variables, x)
    for c in range(3):
        alone = conv2d(x[..., c : c + 1], kernel[..., c : c + 1], (1, 1), "SAME", "lax")
        np.testing.assert_allclose(y[..., c : c + 1], alone, rtol=1e-5, atol=1e-5)


def test_second_derivatives_agree():
    x, k = inputs((6, 6), (3, 3))

    def penalty(k, form):
        # The norm of an input gradient, as gradient penalties have it.
        dx = jax.grad(lambda x: jnp.sin(conv2d(x, k, (2, 2), 1, form)).sum())(x)
        return jnp.square(dx).sum()

    grads = [jax.jit(jax.grad(penalty), static_argnums=1)(k, form) for form in ("lax", "patches")]
    np.testing.assert_allclose(grads[1], grads[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("form", ["lax", "patches"])
def test_bfloat16_keeps_float32_parameters(form):
    x = jax.random.normal(jax.random.key(1), (2, 8, 8, 3))
    module = Conv(4, 3, dtype=jnp.bfloat16, form=form)
    variables = module.init(jax.random.key(0), x)
    assert {k: (v.shape, v.dtype.name) for k, v in variables["params"].items()} == {
        "kernel": ((3, 3, 3, 4), "float32"),
        "bias": ((4,), "float32"),
    }
    y = module.apply(variables, x)
    assert y.dtype == jnp.bfloat16
    exact = Conv(4, 3).apply(variables, x)
    np.testing.assert_allclose(y.astype(jnp.float32), exact, rtol=0.05, atol=0.05)


def test_same_function_as_torch():
    torch = pytest.importorskip("torch", reason="torch is not installed: nothing to compare with")
    x, k = inputs((9, 9), (3, 3))
    expected = torch.nn.functional.conv2d(
        torch.tensor(np.asarray(x)).permute(0, 3, 1, 2),
        torch.tensor(np.asarray(k)).permute(3, 2, 0, 1),
        stride=2,
        padding=1,
    )
    y = conv2d(x, k, (2, 2), 1, "patches")
    np.testing.assert_allclose(y, expected.permute(0, 2, 3, 1).numpy(), rtol=1e-5, atol=1e-5)


def test_conv_form():
    assert conv_form("cpu", False) == conv_form("cpu", True) == conv_form("gpu", True) == "patches"
    assert conv_form("gpu", False) == conv_form("tpu", False) == "lax"


def test_wrong_arguments_name_the_choices():
    x, k = inputs((8, 8), (3, 3))
    with pytest.raises(ValueError, match="patches"):
        conv2d(x, k, (1, 1), 1, "patch")
    with pytest.raises(ValueError, match="SAME"):
        conv2d(x, k, (1, 1), "same", "lax")


def test_patches_too_large_to_keep_are_made_again(monkeypatch):
    x, k = inputs((8, 8), (3, 3))
    gradient = jax.grad(lambda k: jnp.sin(conv2d(x, k, (1, 1), 1, "patches")).sum())
    expected = gradient(k)
    monkeypatch.setattr("tl_jax.models.parts.conv.KEPT", 0)
    np.testing.assert_allclose(gradient(k), expected, rtol=1e-5, atol=1e-5)
    assert "remat" in str(jax.make_jaxpr(gradient)(k))
