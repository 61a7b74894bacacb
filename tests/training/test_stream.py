"""Test time: every batch is predicted before it is learnt from."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.core.types import Batch, Unlabeled
from tl_jax.losses.classes import entropy
from tl_jax.methods.contract import Method, Terms, View
from tl_jax.methods.source_only import source_only
from tl_jax.methods.tent import tent
from tl_jax.training.create import create
from tl_jax.training.freezing import resolve
from tl_jax.training.optimizer import sgd
from tl_jax.training.predict import predicted
from tl_jax.training.recipe import Recipe
from tl_jax.training.state import Data, Start, with_optimizer
from tl_jax.training.step import make_update
from tl_jax.training.stream import make_stream

LR, SIZE = 0.3, 4
X = np.random.default_rng(0).normal(1, 2, (11, 3)).astype(np.float32)
QUICK = {"compiler_options": {"xla_backend_optimization_level": 0}}


def begin(network, method, lr=LR, plan="per_domain"):
    """A recipe, factors, and a state that knows of no source."""
    recipe = Recipe(network, method, plan, sgd(), total=3, batch_size=SIZE)
    values = {"lr": jnp.float32(lr), "weight_decay": jnp.float32(0.1)}
    state = create(recipe, Data((), jnp.asarray(X)), Start(jnp.uint32(0), values))
    factors = resolve(method.freeze, state.params)
    return recipe, factors, with_optimizer(state, method, recipe.optimizer, factors)


@pytest.fixture(scope="module")
def streamed(network):
    """(the state before, what came of the stream) of tent."""
    recipe, factors, state = begin(network, tent())
    return state, jax.jit(make_stream(recipe, factors), **QUICK)(state, jnp.asarray(X))


def entropy_of(scale, bias, kernel, x):
    """Logits by the batch's own statistics, and the gradient of their mean entropy in scale and bias."""
    normal = (x - x.mean(0)) / np.sqrt(x.var(0))
    z = (normal * scale + bias) @ kernel
    log_p = z - z.max(1, keepdims=True)
    log_p = log_p - np.log(np.exp(log_p).sum(1, keepdims=True))
    p = np.exp(log_p)
    h = -(p * log_p).sum(1, keepdims=True)
    into = (-p * (log_p + h) / len(x)) @ kernel.T
    return z, (into * normal).sum(0), into.sum(0)


def test_tent_predicts_each_batch_before_a_step_on_it(streamed):
    state, found = streamed
    kernel = np.asarray(state.params["head/kernel"], float)
    scale, bias, trace, want = np.ones(3), np.zeros(3), np.zeros((2, 3)), []
    for i in range(0, len(X), SIZE):  # the last batch has three
        z, *gradient = entropy_of(scale, bias, kernel, X[i : i + SIZE].astype(float))
        want.append(z)
        trace = gradient + 0.9 * trace
        scale, bias = (p - LR * (g + 0.9 * t) for p, g, t in zip((scale, bias), gradient, trace, strict=True))
    np.testing.assert_allclose(found.logits, np.concatenate(want), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.state.params["backbone/norm1/scale"], scale, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found.state.params["backbone/norm1/bias"], bias, rtol=1e-3, atol=1e-4)
    for path in ("head/kernel", "head/bias"):
        np.testing.assert_array_equal(found.state.params[path], state.params[path])
    assert found.state.step == 3
    assert found.logged["entropy"].shape == (3,)
    assert found.logits.shape == (11, 2)


def test_a_stream_goes_on_where_the_last_ended_and_trials_run_together(network, streamed):
    recipe, factors, state = begin(network, tent())
    go = make_stream(recipe, factors)
    faster = state._replace(values={**state.values, "lr": jnp.float32(2 * LR)})
    both = jax.tree.map(lambda *x: jnp.stack(x), state, faster)
    together = jax.jit(jax.vmap(go, (0, None)), **QUICK)
    first = together(both, jnp.asarray(X[:SIZE]))
    then = together(first.state, jnp.asarray(X[SIZE : 2 * SIZE]))
    whole = streamed[1].logits
    np.testing.assert_allclose(first.logits[0], whole[:SIZE], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(then.logits[0], whole[SIZE : 2 * SIZE], rtol=1e-4, atol=1e-5)
    # The first batch is predicted by the same model whatever the learning rate, the second is not.
    np.testing.assert_array_equal(first.logits[0], first.logits[1])
    assert np.abs(then.logits[0] - then.logits[1]).max() > 1e-3


def test_a_method_that_predicts_as_the_network_does_is_streamed_by_the_stored_statistics(network):
    none = source_only()._replace(terms=tent().terms, views=tent().views, weights=tent().weights)
    recipe, factors, state = begin(network, none, lr=0.0, plan="frozen")
    found = jax.jit(make_stream(recipe, factors), **QUICK)(state, jnp.asarray(X))
    np.testing.assert_allclose(found.logits, X @ np.asarray(state.params["head/kernel"]), rtol=1e-4, atol=1e-5)


def test_an_episodic_method_learns_from_each_example_alone_before_it_is_predicted_and_forgets_it(network):
    terms = lambda own, out, batch, at: Terms({"entropy": entropy(out["copy"].logits).mean()})
    views = {"copy": View("target", train=False)}
    method = Method(terms, views=views, weights=lambda at: {"entropy": 1.0}, lam=None, labels="none", episodic=True)
    recipe, factors, state = begin(network, method)
    found = jax.jit(make_stream(recipe, factors), **QUICK)(state, jnp.asarray(X))

    @lambda f: jax.jit(f, **QUICK)
    def alone(x):
        after, _ = make_update(recipe, factors)(state, Batch((), Unlabeled(x[None], jnp.arange(1))))
        return predicted(recipe, after, x[None], "target").logits[0]

    for i in (0, 3, 10):
        np.testing.assert_allclose(found.logits[i], alone(X[i]), rtol=1e-4, atol=1e-5)
    plain = X @ np.asarray(state.params["head/kernel"])
    assert np.abs(found.logits - plain).max() > 0.01
    jax.tree.map(np.testing.assert_array_equal, found.state.params, state.params)
    assert (found.state.step, found.logged["entropy"].shape) == (3, (3,))
