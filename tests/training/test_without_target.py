"""A target that is met in the test alone: training has nothing of it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.core.errors import UserError
from tl_jax.methods import GENERALISATION
from tl_jax.methods.adabn import adabn
from tl_jax.methods.dann import dann
from tl_jax.methods.erm import erm
from tl_jax.training.create import create
from tl_jax.training.freezing import resolve
from tl_jax.training.optimizer import adamw
from tl_jax.training.predict import predicted
from tl_jax.training.recipe import Recipe
from tl_jax.training.state import Data, Start, with_optimizer
from tl_jax.training.step import make_run, make_step, sample

RNG = np.random.default_rng(0)
SOURCES = tuple((jnp.float32(RNG.normal(i, 1 + i, (9 + i, 3))), jnp.arange(9 + i) % 2) for i in range(3))
DATA = Data(SOURCES, None)
UNSEEN = RNG.normal(5, 1, (4, 3)).astype(np.float32)


def begin(network, method, plan="per_domain"):
    recipe = Recipe(network, method, plan, total=4, batch_size=4)
    values = {name: jnp.float32(v) for name, v in {"lam": 1, "lr": 0.05, "weight_decay": 0, **method.values}.items()}
    state = create(recipe, DATA, Start(jnp.uint32(0), values))
    factors = resolve((), state.params)
    return recipe, with_optimizer(state, method, adamw(), factors), factors


def test_a_batch_has_no_target_and_the_sources_are_drawn_as_beside_one(network):
    recipe, state, _ = begin(network, erm())
    alone, beside = (sample(recipe, state, data) for data in (DATA, DATA._replace(target=SOURCES[0][0])))
    assert alone.target is None
    assert alone.domains == ("source0", "source1", "source2")
    jax.tree.map(np.testing.assert_array_equal, alone.sources, beside.sources)


def test_the_unseen_domain_is_predicted_by_the_pooled_statistics_of_the_others(network):
    recipe, state, factors = begin(network, erm())
    after, _ = jax.jit(make_step(recipe, factors))(state, DATA)
    by = [after.stats[f"source{i}"]["backbone"]["norm1"] for i in range(3)]
    mean = np.mean([s["mean"] for s in by], 0)
    var = np.mean([s["var"] + s["mean"] ** 2 for s in by], 0) - mean**2
    out = predicted(recipe, after, jnp.asarray(UNSEEN), "target")
    norm = [np.asarray(after.params[f"backbone/norm1/{name}"]) for name in ("scale", "bias")]
    np.testing.assert_allclose(out.features, (UNSEEN - mean) / np.sqrt(var) * norm[0] + norm[1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", ["erm", "mldg"])
def test_methods_of_generalisation_train(network, name):
    recipe, state, factors = begin(network, GENERALISATION[name](), "joint")
    after, progress = jax.jit(make_run(make_step(recipe, factors)))(state, jnp.int32(3), DATA)
    assert progress.bad_step == -1
    assert all((x != state.params[path]).any() for path, x in after.params.items())


def test_what_reads_a_target_says_that_there_is_none(network):
    recipe, state, factors = begin(network, dann())
    with pytest.raises(UserError, match="view 'target' is one of the target"):
        jax.eval_shape(make_step(recipe, factors), state, DATA)
    with pytest.raises(UserError, match="over the target"):
        begin(network, adabn())
