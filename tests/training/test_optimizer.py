"""Optimisers against optax, and gradient clipping."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tl_jax.training.optimizer import RULES, Rates, clip, optimizer

RNG = np.random.default_rng(0)
PARAMS = {"head/kernel": RNG.normal(size=(3, 2)), "conv/kernel": RNG.normal(size=(2, 2, 1, 3)), "head/bias": np.ones(2)}
PARAMS = jax.tree.map(jnp.float32, PARAMS)
GRADIENTS = [jax.tree.map(lambda x: jnp.float32(RNG.normal(size=x.shape)), PARAMS) for _ in range(4)]
ONES = dict.fromkeys(PARAMS, 1.0)


def ours(name, lr, weight_decay, factors=ONES):
    opt, rates = optimizer(name), Rates(jnp.float32(lr), jnp.float32(weight_decay), factors)
    update = jax.jit(lambda g, state, params: opt.update(g, state, params, rates))
    return trajectory(opt.init, update)


def trajectory(init, update):
    params, state = PARAMS, init(PARAMS)
    for gradient in GRADIENTS:
        updates, state = update(gradient, state, params)
        params = optax.apply_updates(params, updates)
    return params


def matrices(params):
    return {path: x.ndim > 1 for path, x in params.items()}


OPTAX = {
    "adamw": lambda lr, decay: optax.adamw(lr, weight_decay=decay, mask=matrices),
    "sgd": lambda lr, decay: optax.chain(
        optax.trace(0.9, nesterov=True),
        optax.add_decayed_weights(decay, mask=matrices),
        optax.scale_by_learning_rate(lr),
    ),
}


@pytest.mark.parametrize("name", RULES)
def test_equal_to_optax_with_decay_on_kernels_only(name):
    theirs = OPTAX[name](0.1, 0.3)
    want = trajectory(theirs.init, jax.jit(theirs.update))
    got = ours(name, 0.1, 0.3)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), got, want)


def test_decay_leaves_biases_alone_and_shrinks_kernels():
    plain, decayed = ours("adamw", 0.1, 0.0), ours("adamw", 0.1, 0.3)
    np.testing.assert_array_equal(plain["head/bias"], decayed["head/bias"])
    assert (plain["head/kernel"] != decayed["head/kernel"]).all()


def test_factors_scale_the_updates_of_their_paths():
    opt, rates = optimizer("adamw"), Rates(jnp.float32(0.1), jnp.float32(0.3), {**ONES, "head/kernel": 0.1})
    scaled, _ = opt.update(GRADIENTS[0], opt.init(PARAMS), PARAMS, rates)
    plain, _ = opt.update(GRADIENTS[0], opt.init(PARAMS), PARAMS, rates._replace(factors=ONES))
    np.testing.assert_allclose(scaled["head/kernel"], 0.1 * plain["head/kernel"], rtol=1e-6)
    np.testing.assert_array_equal(scaled["conv/kernel"], plain["conv/kernel"])


def test_clipping_scales_all_gradients_by_one_factor_and_reports_the_norm_before():
    gradients = {"a": jnp.array([3.0, 0.0]), "b": jnp.array([[4.0]])}
    for largest, factor in ((1.0, 0.2), (5.0, 1.0), (10.0, 1.0), (0.0, 1.0)):
        clipped, norm = clip(gradients, largest)
        assert norm == 5
        jax.tree.map(lambda c, g, by=factor: np.testing.assert_allclose(c, by * g, rtol=1e-6), clipped, gradients)


def test_clipping_nothing_is_not_a_division_by_zero():
    clipped, norm = clip({"a": jnp.zeros(3)}, 1.0)
    assert norm == 0
    assert not clipped["a"].any()


def test_what_is_no_kernel_does_not_decay_whatever_its_shape():
    shapes = {"backbone/position": (1, 5, 2), "backbone/class_token": (1, 1, 2), "b/attention/query/bias": (2, 3)}
    params = {path: jnp.ones(shape) for path, shape in {**shapes, "b/kernel": (2, 2)}.items()}
    opt = optimizer("adamw")
    rates = Rates(jnp.float32(0.1), jnp.float32(0.5), dict.fromkeys(params, 1.0))
    updates, _ = opt.update(jax.tree.map(jnp.zeros_like, params), opt.init(params), params, rates)
    assert {path for path, u in updates.items() if np.asarray(u).any()} == {"b/kernel"}
