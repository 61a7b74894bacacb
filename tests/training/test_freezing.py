"""Freezing rules, and what a frozen step costs and leaves alone."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from tl_jax.core.errors import UserError
from tl_jax.core.trees import unflatten
from tl_jax.methods.source_only import source_only
from tl_jax.models.networks import NETWORKS, build
from tl_jax.training.create import create
from tl_jax.training.freezing import (
    Action,
    boundaries,
    carry_over,
    frozen_modules,
    in_group,
    parse_action,
    resolve,
)
from tl_jax.training.optimizer import Rates, adamw
from tl_jax.training.recipe import Recipe
from tl_jax.training.state import Data, Start, with_optimizer
from tl_jax.training.step import make_step

PATHS = ("backbone/conv1/kernel", "backbone/norm1/scale", "backbone/norm1/bias", "head/kernel", "head/bias")


# Rules ------------------------------------------------------------------------------------------


def test_the_first_match_wins_and_every_leaf_is_decided():
    rules = (("backbone/norm1/*", "0.5"), ("backbone/*", "frozen"), ("*/bias", "2"))
    assert resolve(rules, PATHS) == dict(zip(PATHS, (0.0, 0.5, 0.5, 1.0, 2.0), strict=True))
    assert resolve((), PATHS) == dict.fromkeys(PATHS, 1.0)


def test_a_pattern_without_a_match_names_the_nearest_paths():
    with pytest.raises(UserError, match=r"'backbone/cnv1/\*=\.\.\.' matches 0 of 5.*Closest: backbone/conv1/kernel"):
        resolve((("backbone/cnv1/*", "frozen"),), PATHS)
    # Case counts, and so does the whole path: a part of one is no match.
    for pattern in ("Head/*", "head", "conv1"):
        with pytest.raises(UserError, match="matches 0 of 5"):
            resolve(((pattern, "frozen"),), PATHS)


def test_freezing_everything_is_refused_with_the_pattern_that_did_it():
    with pytest.raises(UserError, match=r"All 5 parameters are frozen at step 0.*'\*'"):
        resolve((("*", "frozen"),), PATHS)
    with pytest.raises(UserError, match="frozen at step 9"):
        resolve((("*", "frozen@10"),), PATHS, 9)
    assert resolve((("*", "frozen@10"),), PATHS, 10) == dict.fromkeys(PATHS, 1.0)


def test_actions():
    assert parse_action(("*", "frozen")) == Action(0.0, 0)
    assert parse_action(("*", "frozen@300")) == Action(1.0, 300)
    assert parse_action(("*", "0.1")) == Action(0.1, 0)


@pytest.mark.parametrize("text", ["", "freeze", "frozen@", "frozen@x", "frozen@-1", "0.1@5", "-1", "nan", "inf"])
def test_an_unreadable_action_lists_what_can_be_written(text):
    with pytest.raises(UserError, match=r"Use 'frozen', a learning-rate factor such as 0\.1, or 'frozen@300'"):
        parse_action(("head/*", text))


def test_rules_that_change_at_a_step():
    rules = (("backbone/norm1/*", "frozen@20"), ("backbone/*", "frozen@10"), ("head/*", "0.5"))
    assert boundaries(rules) == [10, 20]
    trained = lambda step: {path for path, factor in resolve(rules, PATHS, step).items() if factor}
    assert trained(9) == set(PATHS[3:])
    assert trained(10) == {PATHS[0], *PATHS[3:]}
    assert trained(20) == set(PATHS)
    assert boundaries((("*", "frozen"), ("*", "0.5"))) == []


def test_statistics_are_frozen_with_the_whole_module_only():
    modules = ["backbone/norm1", "backbone/norm10"]
    factors = {"backbone/norm1/scale": 0.0, "backbone/norm1/bias": 0.0, "backbone/norm10/scale": 1.0}
    assert frozen_modules(factors, modules) == {"backbone/norm1"}
    assert frozen_modules({**factors, "backbone/norm1/bias": 0.1}, modules) == frozenset()


def test_parameter_groups():
    groups = {"heads": ("head/*", "method/*"), "trunk": ("*",)}
    assert [in_group(path, groups) for path in ("head/bias", "method/head/bias", "backbone/head/bias")] == [
        "heads",
        "heads",
        "trunk",
    ]
    with pytest.raises(ValueError, match="no parameter group"):
        in_group("head/bias", {"trunk": ("backbone/*",)})


def test_a_change_of_rules_keeps_moments_and_counts_of_what_is_still_trained():
    opt, rates = adamw(), Rates(jnp.float32(0.1), jnp.float32(0.0), dict.fromkeys(PATHS, 1.0))
    params = {path: jnp.ones(2) for path in PATHS}
    head = {path: params[path] for path in PATHS[3:]}
    _, old = opt.update(jax.tree.map(lambda x: 3 * x, head), opt.init(head), head, rates)
    thawed = carry_over({"all": opt.init(params)}, {"all": old})["all"]
    assert set(thawed.mu) == set(PATHS)
    # What was trained goes on with its count; what is thawed begins its own.
    assert thawed.count == 1
    assert {path: int(start) for path, start in thawed.start.items()} == dict.fromkeys(PATHS[:3], 1)
    for path in PATHS:
        want = (old.mu[path], old.nu[path]) if path in head else (jnp.zeros(2), jnp.zeros(2))
        np.testing.assert_array_equal((thawed.mu[path], thawed.nu[path]), want)
    # And back: what is frozen again is forgotten.
    back = carry_over({"all": old}, {"all": thawed})["all"]
    assert set(back.mu) == set(head)
    assert not back.start


@pytest.mark.parametrize("frozen", [1, 50, 5000])
def test_a_parameter_thawed_after_any_number_of_steps_begins_like_a_fresh_one(frozen):
    opt, rates = adamw(), Rates(jnp.float32(0.1), jnp.float32(0.0), dict.fromkeys(PATHS, 1.0))
    params = {path: jnp.ones(2) for path in PATHS}
    first, last = PATHS[3:], PATHS[1:]
    begun = opt.init({path: params[path] for path in first})
    state = {"all": begun._replace(count=jnp.int32(frozen), mu={p: jnp.full(2, 0.2) for p in first})}
    rng = np.random.default_rng(0)
    fresh = None
    for paths in (last, PATHS):  # in two cohorts
        state = carry_over({"all": opt.init({path: params[path] for path in paths})}, state)
        fresh = opt.init({path: params[path] for path in last}) if fresh is None else fresh
        for _ in range(3):
            gradient = {path: jnp.asarray(rng.normal(size=2), jnp.float32) for path in paths}
            own = {path: g for path, g in gradient.items() if path in fresh.mu}
            got, state["all"] = opt.update(gradient, state["all"], params, rates)
            want, fresh = opt.update(own, fresh, params, rates)
            for path in PATHS[1:3]:
                np.testing.assert_allclose(got[path], want[path], rtol=1e-5)
    assert {path: int(start) - frozen for path, start in state["all"].start.items()} == dict(
        zip(PATHS[:3], (3, 0, 0), strict=True)
    )


# A frozen step ----------------------------------------------------------------------------------

BATCH = 16
VALUES = {"lam": jnp.float32(1), "lr": jnp.float32(1e-2), "weight_decay": jnp.float32(0.3)}


@pytest.fixture(scope="module")
def lenet():
    """Network, data, and a function: rules -> (state, compiled step, factors)."""
    net = build(NETWORKS["lenet"](dropout=0.0, bottleneck=8), 3)
    x = jax.random.normal(jax.random.key(0), (BATCH + 4, 16, 16, 1))
    data = Data(((x, jnp.arange(BATCH + 4) % 3),), x[::-1])
    recipe = Recipe(net, source_only(), batch_size=BATCH, clip_norm=0.01)
    begin = jax.jit(lambda seed: create(recipe, data, Start(seed, VALUES)))(jnp.uint32(0))

    def compiled(*rules):
        factors = resolve(rules, begin.params)
        state = with_optimizer(begin, recipe.method, recipe.optimizer, factors)
        return state, jax.jit(make_step(recipe, factors)).lower(state, data).compile(), factors

    return net, data, compiled


def test_a_frozen_backbone_costs_no_backward_pass_and_does_not_move(lenet):
    net, data, compiled = lenet
    state, step, factors = compiled(("backbone/*", "frozen"))
    images = jnp.concatenate([data.target[:BATCH]] * 2)
    forward = jax.jit(lambda p, s, x: net.apply(p, s, x, train=True)[0])
    lowered = forward.lower(unflatten(state.params), state.stats["all"], images)
    flops = lambda program: program.cost_analysis()["flops"]
    # The head, its update and the sampler are small change; clipping and logging bring nothing back.
    assert flops(step) < 1.05 * flops(lowered.compile())
    now = state
    for _ in range(3):
        now, _ = step(now, data)
    for path, factor in factors.items():
        assert (now.params[path] == state.params[path]).all() == (factor == 0), path
    before, after = state.stats["all"], now.stats["all"]
    jax.tree.map(np.testing.assert_array_equal, after["backbone"], before["backbone"])
    assert (after["bottleneck"]["norm1"]["mean"] != before["bottleneck"]["norm1"]["mean"]).all()
    assert {path for path, factor in factors.items() if factor} == set(now.opt["all"].mu)


def test_without_freezing_the_backward_pass_is_counted(lenet):
    _, _, compiled = lenet
    flops = lambda *rules: compiled(*rules)[1].cost_analysis()["flops"]
    assert flops() > 2.5 * flops(("backbone/*", "frozen"), ("bottleneck/*", "frozen"))


def test_the_gradient_norm_is_that_of_the_trained_parameters(lenet):
    _, data, compiled = lenet
    state, step, _ = compiled(("backbone/*", "frozen"))
    after, logged = step(state, data)
    # The first moment is (1 - .9) times the clipped gradient: its norm tells that clipping saw no more.
    assert logged["grad_norm"] > 0.01
    np.testing.assert_allclose(optax.tree.norm(after.opt["all"].mu), 0.1 * 0.01, rtol=1e-4)
