"""How a trial begins."""

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.inputs import accepting_bytes
from tl_jax.core.types import Output
from tl_jax.methods.contract import Method, Own, Terms
from tl_jax.methods.source_only import source_only
from tl_jax.training.create import create
from tl_jax.training.optimizer import adamw
from tl_jax.training.recipe import Recipe
from tl_jax.training.state import Data, Start, model_of, target_model, with_optimizer

X_S, X_T = np.random.default_rng(0).normal(size=(2, 9, 3)).astype(np.float32)
DATA = Data(((X_S, np.arange(9) % 2),), X_T)
VALUES = {"lam": jnp.float32(1)}


def method_with_own():
    """A method that notes what `init` and `refresh` are given."""
    init = lambda key, example, model: Own({"scale": jnp.ones(example.features.shape[1])}, {"from": "init"})
    refresh = lambda network, model, x, at: {"mean": model.stats["backbone"]["norm1"]["mean"], "x": x, "own": model.own}
    return Method(lambda own, out, batch, at: Terms({}), init, refresh=refresh)


def begin(network, method, seed=0, plan="joint", model=None):
    return create(Recipe(network, method, plan), DATA, Start(jnp.uint32(seed), VALUES, model))


def test_methods_begin_with_the_same_network_and_seeds_do_not(network):
    plain, own = begin(network, source_only()), begin(network, method_with_own())
    for path, x in plain.params.items():
        np.testing.assert_array_equal(own.params[path], x)
    assert set(own.params) - set(plain.params) == {"method/scale"}
    assert (begin(network, source_only(), 1).params["head/kernel"] != plain.params["head/kernel"]).all()
    assert plain.step == 0
    assert plain.opt == {}


def test_memory_is_refreshed_before_the_first_step_with_the_statistics_of_the_target(network):
    seen = {"backbone": {"norm1": {"mean": jnp.full(3, 5.0), "var": jnp.ones(3)}}}
    params, fresh = network.init(jax.random.key(3), X_T)
    flat = {"head/kernel": params["head"]["kernel"], "head/bias": params["head"]["bias"]}
    flat |= {f"backbone/norm1/{name}": x for name, x in params["backbone"]["norm1"].items()}
    state = begin(network, method_with_own(), plan="per_domain", model=(flat, {"source0": fresh, "target": seen}))
    np.testing.assert_array_equal(state.memory["mean"], 5)
    np.testing.assert_array_equal(state.memory["x"], X_T)
    assert set(state.memory["own"]) == {"scale"}
    # The source model's parameters and statistics are where the trial begins.
    np.testing.assert_array_equal(state.params["head/kernel"], params["head"]["kernel"])
    assert state.stats["target"] is seen


def test_each_domain_has_statistics_of_its_own_under_per_domain_only(network):
    assert set(begin(network, source_only()).stats) == {"all"}
    state = begin(network, source_only(), plan="per_domain")
    assert set(state.stats) == {"source0", "target"}
    assert target_model(model_of(state)).stats is state.stats["target"]


def test_optimiser_state_is_kept_by_group_and_only_for_trained_parameters(network):
    method = method_with_own()._replace(groups={"heads": ("head/*", "method/*"), "trunk": ("*",)})
    state = begin(network, method)
    factors = {path: 0.0 if path == "head/bias" else 1.0 for path in state.params}
    opt = with_optimizer(state, method, adamw(), factors).opt
    assert set(opt["heads"].mu) == {"head/kernel", "method/scale"}
    assert set(opt["trunk"].mu) == {"backbone/norm1/scale", "backbone/norm1/bias"}


def test_bytes_reach_the_network_as_floats_between_minus_one_and_one(network):
    seen = []
    echo = network._replace(apply=lambda params, stats, x, **how: (seen.append((x, how)), (Output(x, x), stats))[1])
    both = accepting_bytes(echo)
    both.apply({}, {}, np.array([[0, 255]], np.uint8), train=True)
    both.apply({}, {}, np.array([[0.5, 300.0]], np.float32))
    (bytes_, how), (floats, none) = seen
    np.testing.assert_array_equal(bytes_, [[-1, 1]])
    np.testing.assert_array_equal(floats, [[0.5, 300]])
    assert how == {"train": True}
    assert none == {}
    params, _ = accepting_bytes(network).init(jax.random.key(0), np.zeros((2, 3), np.uint8))
    assert params["head"]["kernel"].dtype == jnp.float32
