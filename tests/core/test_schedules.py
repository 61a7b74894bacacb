"""Schedules against their equations, at their ends, and traced."""

import math

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.core import schedules
from tl_jax.core.schedules import LAM_SCHEDULES, LR_SCHEDULES

ALL = {**LAM_SCHEDULES, **LR_SCHEDULES}
EQUATIONS = {
    "constant": lambda p: 1.0,
    "dann": lambda p: 2 / (1 + math.exp(-10 * p)) - 1,
    "linear": lambda p: p,
    "sigmoid_rampup": lambda p: math.exp(-5 * (1 - min(p * 300 / 80, 1)) ** 2),
    "half_cosine": lambda p: 0.5 - math.cos(min(math.pi, 2 * math.pi * p)) / 2,
    "cosine": lambda p: (1 + math.cos(math.pi * p)) / 2,
    "inverse": lambda p: 1 / (1 + 10 * p) ** 0.75,
    "adamatch": lambda p: math.cos(math.acos(0.25) * p),
    "warmup_cosine": lambda p: p / 0.05 if p < 0.05 else (1 + math.cos(math.pi * (p - 0.05) / 0.95)) / 2,
}
ENDS = {
    "constant": (1, 1),
    "dann": (0, math.tanh(5)),
    "linear": (0, 1),
    "sigmoid_rampup": (math.exp(-5), 1),
    "half_cosine": (0, 1),
    "cosine": (1, 0),
    "inverse": (1, 11**-0.75),
    "adamatch": (1, 0.25),
    "warmup_cosine": (0, 0),
}


def test_the_tables_hold_every_schedule_under_its_own_name():
    assert set(ALL) == set(EQUATIONS) == set(ENDS)
    assert all(name == function.__name__ for name, function in ALL.items())


@pytest.mark.parametrize("name", ALL)
def test_a_schedule_is_its_equation(name):
    with jax.enable_x64(True):
        for p in (0, 0.01, 0.04999, 0.05, 0.2, 80 / 300, 0.5, 0.77, 1):
            np.testing.assert_allclose(ALL[name](p), EQUATIONS[name](p), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("name", ALL)
def test_the_ends(name):
    np.testing.assert_allclose([ALL[name](0.0), ALL[name](1.0)], ENDS[name], atol=1e-6)


@hypothesis.given(st.sampled_from(sorted(ALL)), st.floats(0, 1), st.floats(0, 1))
@hypothesis.settings(max_examples=60, deadline=None)
def test_a_schedule_stays_in_the_unit_interval_and_does_not_turn(name, p, q):
    low, high = sorted((p, q))
    a, b = float(ALL[name](low)), float(ALL[name](high))
    assert 0 <= a <= 1 + 1e-6
    rises = name in LAM_SCHEDULES or (name == "warmup_cosine" and high < 0.05)
    falls = name in LR_SCHEDULES and not (name == "warmup_cosine" and low < 0.05)
    assert not rises or a <= b + 1e-6
    assert not falls or a >= b - 1e-6


@pytest.mark.parametrize("name", ALL)
def test_progress_may_be_traced_and_vmapped(name):
    p = jnp.linspace(0, 1, 7)
    each = [ALL[name](float(x)) for x in p]
    np.testing.assert_allclose(jax.jit(jax.vmap(ALL[name]))(p), each, atol=1e-6)
    np.testing.assert_allclose(ALL[name](p), each, atol=1e-6)
    assert ALL[name](p[3]).shape == ()
    assert ALL[name](1).dtype == jnp.float32


def test_the_other_arguments_may_be_swept():
    gamma = jnp.asarray([1.0, 10.0])
    np.testing.assert_allclose(
        jax.vmap(lambda g: schedules.dann(1.0, g, 0.5))(gamma), [0.5 * 0.46211716, 0.5 * 0.9999092], rtol=1e-6
    )
    np.testing.assert_allclose(schedules.inverse(0.5, alpha=2.0, power=jnp.asarray(1.0)), 0.5)
    np.testing.assert_allclose(schedules.sigmoid_rampup(0.5, jnp.asarray([0.5, 1.0])), [1, math.exp(-1.25)])


def test_no_warmup_is_cosine():
    p = jnp.linspace(0, 1, 5)
    np.testing.assert_allclose(schedules.warmup_cosine(p, 0.0), schedules.cosine(p), atol=1e-6)
    assert np.isfinite(jax.grad(schedules.warmup_cosine, 1)(0.0, 0.0))
