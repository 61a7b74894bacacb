"""Averaged weights, against a loop in NumPy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.methods import ADAPTATION
from tl_jax.methods.source_only import source_only
from tl_jax.training.create import create
from tl_jax.training.freezing import carry_over, resolve
from tl_jax.training.predict import averaged, averages, predicted, with_average
from tl_jax.training.recipe import Recipe
from tl_jax.training.state import Data, Start
from tl_jax.training.step import make_step
from tl_jax.training.trials import programs

RNG = np.random.default_rng(0)
X, Y = jnp.float32(RNG.normal(size=(12, 3))), jnp.arange(12) % 2
DATA = Data(((X, Y),), X)
DECAY, RULE = 0.8, (("head/*", "frozen@3"),)


def seen(network, steps=6):
    """The states after each step, the head trained from step 3 on."""
    recipe = Recipe(network, source_only(), total=steps, batch_size=4, ema=DECAY)
    values = {"lr": jnp.float32(0.1), "weight_decay": jnp.float32(0.0)}
    state, states = create(recipe, DATA, Start(jnp.uint32(0), values)), []
    for i in range(steps):
        if i in (0, 3):
            factors = resolve(RULE, state.params, i)
            stage = programs(recipe, factors, "map")
            fresh = jax.tree.map(lambda x: x[0], stage.renew(jax.tree.map(lambda x: x[None], state)))
            state = state._replace(opt=carry_over(fresh.opt, state.opt) if i else fresh.opt)
            step = jax.jit(make_step(recipe, factors))
        state, _ = step(state, DATA)
        states.append(state)
    return recipe, states


@pytest.fixture(scope="module")
def trained(network):
    return seen(network)


def test_it_is_the_bias_corrected_mean_of_all_steps_also_of_what_thawed(trained):
    _, states = trained
    for path in states[0].params:
        for t in range(1, 7):
            weights = DECAY ** np.arange(t - 1, -1, -1)
            want = sum(w * np.float64(s.params[path]) for w, s in zip(weights, states, strict=False)) / weights.sum()
            np.testing.assert_allclose(averaged(states[t - 1]).params[path], want, rtol=1e-5, atol=1e-6)


def test_what_is_frozen_has_none(trained):
    _, states = trained
    assert "head/kernel" not in states[2].opt["average"]
    assert "head/kernel" in states[3].opt["average"]
    assert with_average(states[0]._replace(opt={}), 0.0, {}).opt == {}


def test_predictions_go_by_it_and_by_the_statistics_of_the_weights_in_training(trained):
    recipe, states = trained
    state = states[-1]
    by_hand = state._replace(params=averaged(state).params, opt={})
    got, want = predicted(recipe, state, X, "target"), predicted(recipe, by_hand, X, "target")
    np.testing.assert_array_equal(got.logits, want.logits)
    assert np.abs(got.logits - predicted(recipe, state._replace(opt={}), X, "target").logits).max() > 1e-3


def test_a_method_that_predicts_by_what_it_remembers_has_none():
    of = {name: averages(make()) for name, make in ADAPTATION.items()}
    assert not any(of[name] for name in ("mean_teacher", "adabn"))
    assert all(of[name] for name in ("source_only", "dann", "mcd", "shot", "adamatch"))
