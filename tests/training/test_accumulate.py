"""A batch in parts: the gradient of the whole where the loss is a mean over examples, and the truth of statistics."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.losses.classes import cross_entropy, entropy
from tl_jax.methods.contract import Method, Own, Terms
from tl_jax.training.create import create
from tl_jax.training.freezing import resolve
from tl_jax.training.optimizer import sgd
from tl_jax.training.recipe import Recipe
from tl_jax.training.state import Data, Start, with_optimizer
from tl_jax.training.step import make_step, sample

RNG = np.random.default_rng(0)
X = [jnp.float32(RNG.normal(i, 1, size=(16, 3))) for i in range(4)]
Y = jnp.arange(16) % 2
DATA = Data(((X[0], Y), (X[1], 1 - Y)), X[2], (X[3],))
SIZE, PARTS = 8, 4


def remembering():
    """L = CE_s + mean H(p_t), and the last logits as memory."""

    def terms(own, out, batch, at):
        losses = {
            "source": cross_entropy(out["source"].logits, batch.y),
            "entropy": entropy(out["target"].logits).mean(),
        }
        return Terms(losses)

    zeros = {"source": jnp.zeros((2 * SIZE, 2)), "target": jnp.zeros((2 * SIZE, 2))}
    return Method(
        terms,
        init=lambda key, example, model: Own({}, zeros),
        after=lambda model, out, batch, at: {name: one.logits for name, one in out.items()},
    )


@pytest.fixture(scope="module")
def stepped(network):
    """{plan: (state before, batch, after a step of the whole, after one in parts)}."""
    found = {}
    for plan in ("frozen", "separate"):
        recipe = Recipe(network, remembering(), plan, sgd(), total=4, batch_size=SIZE)
        values = {"lam": jnp.float32(1.0), "lr": jnp.float32(0.1), "weight_decay": jnp.float32(0.1)}
        state = create(recipe, DATA, Start(jnp.uint32(0), values))
        factors = resolve((), state.params)
        state = with_optimizer(state, recipe.method, recipe.optimizer, factors)
        steps = [make_step(recipe._replace(accumulate=parts), factors) for parts in (1, PARTS)]
        found[plan] = (recipe, state, *(jax.jit(step)(state, DATA) for step in steps))
    return found


def test_without_statistics_of_batches_it_is_the_step_of_the_whole_batch(stepped):
    _, before, (whole, logged), (parts, by_parts) = stepped["frozen"]
    for path, x in whole.params.items():
        assert np.abs(x - before.params[path]).max() > 1e-5
        np.testing.assert_allclose(parts.params[path], x, rtol=1e-5, atol=1e-6, err_msg=path)
    for name in logged:
        np.testing.assert_allclose(by_parts[name], logged[name], rtol=1e-5, err_msg=name)


def test_a_method_s_memory_sees_the_outputs_of_the_whole_batch_in_its_order(stepped):
    _, _, (whole, _), (parts, _) = stepped["frozen"]
    for name in ("source", "target"):
        np.testing.assert_allclose(parts.memory[name], whole.memory[name], rtol=1e-5, atol=1e-6)


def test_statistics_are_those_of_the_parts_one_after_the_other(stepped):
    recipe, before, (whole, _), (parts, _) = stepped["separate"]
    batch = sample(recipe, before, DATA)
    at = lambda x, i: np.asarray(x).reshape(-1, PARTS, SIZE // PARTS, 3)[:, i].reshape(-1, 3)
    mean = np.zeros(3)
    for i in range(PARTS):
        for x in (batch.sources[0].x, batch.sources[1].x, batch.target.x):
            mean = 0.9 * mean + 0.1 * at(x, i).mean(0)
    got = parts.stats["all"]["backbone"]["norm1"]["mean"]
    np.testing.assert_allclose(got, mean, rtol=1e-4, atol=1e-5)
    assert np.abs(got - whole.stats["all"]["backbone"]["norm1"]["mean"]).max() > 0.1
