"""Optimisers against optax and against the formulas of torch, and gradient clipping."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tl_jax.naming.calls import parse
from tl_jax.training.optimizer import OPTIMIZERS, Rates, adamw, clip, sgd, sgdw

RNG = np.random.default_rng(0)
PARAMS = {"head/kernel": RNG.normal(size=(3, 2)), "conv/kernel": RNG.normal(size=(2, 2, 1, 3)), "head/bias": np.ones(2)}
PARAMS = jax.tree.map(jnp.float32, PARAMS)
GRADIENTS = [jax.tree.map(lambda x: jnp.float32(RNG.normal(size=x.shape)), PARAMS) for _ in range(4)]
ONES = dict.fromkeys(PARAMS, 1.0)


def ours(name, lr, weight_decay, factors=ONES):
    opt, rates = parse(name, OPTIMIZERS, "optimizer")(), Rates(jnp.float32(lr), jnp.float32(weight_decay), factors)
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
    "adamw(b1=0.5, epsilon=0.001)": lambda lr, decay: optax.adamw(lr, 0.5, eps=1e-3, weight_decay=decay, mask=matrices),
    "lamb": lambda lr, decay: optax.lamb(lr, weight_decay=decay, mask=matrices),
    "lion": lambda lr, decay: optax.lion(lr, weight_decay=decay, mask=matrices),
    "sgdw": lambda lr, decay: optax.chain(
        optax.trace(0.9, nesterov=True),
        optax.add_decayed_weights(decay, mask=matrices),
        optax.scale_by_learning_rate(lr),
    ),
}


@pytest.mark.parametrize("name", OPTAX)
def test_equal_to_optax_with_decay_on_kernels_only(name):
    theirs = OPTAX[name](0.1, 0.3)
    want = trajectory(theirs.init, jax.jit(theirs.update))
    got = ours(name, 0.1, 0.3)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), got, want)


def torch_sgd(g, at, t, momentum, nesterov):
    """One array's step of torch.optim.SGD, which its page writes out: at[0] is the buffer."""
    at[0] = g if t == 0 else momentum * at[0] + g
    return g + momentum * at[0] if nesterov else at[0]


def torch_adam(g, at, t):
    """That of torch.optim.Adam."""
    at[0], at[1] = 0.9 * at[0] + 0.1 * g, 0.999 * at[1] + 0.001 * g**2
    return at[0] / (1 - 0.9 ** (t + 1)) / (np.sqrt(at[1] / (1 - 0.999 ** (t + 1))) + 1e-8)


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("sgd", lambda g, at, t: torch_sgd(g, at, t, 0.9, True)),
        ("sgd(momentum=0.8, nesterov=False)", lambda g, at, t: torch_sgd(g, at, t, 0.8, False)),
        ("sgd(momentum=0.0)", lambda g, at, t: g),
        ("adam", torch_adam),
    ],
)
def test_coupled_decay_is_a_part_of_the_gradient_as_in_torch(name, rule):
    want = {}
    for path, x in PARAMS.items():
        w, at = np.asarray(x, np.float64), [0.0, 0.0]
        for t, gradient in enumerate(GRADIENTS):
            g = np.asarray(gradient[path], np.float64) + (0.3 * w if w.ndim > 1 else 0.0)
            w = w - 0.1 * rule(g, at, t)
        want[path] = w
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=2e-4, atol=1e-5), ours(name, 0.1, 0.3), want)


def test_coupled_decay_alone_shrinks_by_the_momentum_s_sum_times_the_decoupled():
    still = jax.tree.map(jnp.zeros_like, PARAMS)
    rates = Rates(jnp.float32(0.01), jnp.float32(0.01), ONES)

    def shrunk(opt):
        def step(i, now):
            updates, state = opt.update(still, now[1], now[0], rates)
            return optax.apply_updates(now[0], updates), state

        return jax.jit(lambda: jax.lax.fori_loop(0, 500, step, (PARAMS, opt.init(PARAMS)))[0])()

    logs = [np.log(shrunk(opt)["head/kernel"] / PARAMS["head/kernel"]) for opt in (sgd(), sgdw())]
    np.testing.assert_allclose(logs[0] / logs[1], 10, rtol=0.03)


def test_decay_leaves_biases_alone_and_shrinks_kernels():
    plain, decayed = ours("adamw", 0.1, 0.0), ours("adamw", 0.1, 0.3)
    np.testing.assert_array_equal(plain["head/bias"], decayed["head/bias"])
    assert (plain["head/kernel"] != decayed["head/kernel"]).all()


def test_factors_scale_the_updates_of_their_paths():
    opt, rates = adamw(), Rates(jnp.float32(0.1), jnp.float32(0.3), {**ONES, "head/kernel": 0.1})
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
    opt = adamw()
    rates = Rates(jnp.float32(0.1), jnp.float32(0.5), dict.fromkeys(params, 1.0))
    updates, _ = opt.update(jax.tree.map(jnp.zeros_like, params), opt.init(params), params, rates)
    assert {path for path, u in updates.items() if np.asarray(u).any()} == {"b/kernel"}
