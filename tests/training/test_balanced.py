"""The balanced gradient against a loop over the tasks, and the memory of strategies in the state."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.balancing import contract
from tl_jax.balancing.table import STRATEGIES
from tl_jax.balancing.tasks import TaskHead
from tl_jax.core.keys import named
from tl_jax.core.types import Batch, Labeled, Network, Output, Unlabeled
from tl_jax.methods.multitask import multitask
from tl_jax.training import several_losses
from tl_jax.training.create import create
from tl_jax.training.forward import Forward
from tl_jax.training.freezing import carry_over, resolve
from tl_jax.training.objective import Surroundings, unweighted
from tl_jax.training.optimizer import adamw
from tl_jax.training.recipe import Recipe, whereabouts
from tl_jax.training.state import Data, Start, shared, with_optimizer
from tl_jax.training.step import make_run, make_step, sample

RNG = np.random.default_rng(0)
# Names whose order is not that of the alphabet: a dict that went through JAX is sorted.
ONE = (TaskHead("b", "values", (), 0, 0, 0, 1), TaskHead("a", "binary", ("n", "y"), 0, 1, 1, 2))
TWO = (ONE[0], ONE[1]._replace(input=1, column=0))
X = [jnp.float32(RNG.normal(i, 1 + i, (12, 3))) for i in range(2)]
Y = [jnp.float32(RNG.normal(2, 1, 12)), jnp.float32(RNG.integers(0, 2, 12)).at[:4].set(jnp.nan)]
DATA = {
    ONE: Data(((X[0], jnp.stack(Y, 1)),), X[0]),
    TWO: Data(tuple((x, y[:, None]) for x, y in zip(X, Y, strict=True)), X[0]),
}
SOME = ("uncertainty", "gradnorm", "pcgrad", "cagrad", "mgda", "graddrop", "db_mtl")


def begin(network, tasks, strategy, rules=(), plan="separate", **how):
    """A recipe, a state before step 0 and learning-rate factors; strategy None: single tasks."""
    made = multitask(tasks, STRATEGIES[strategy]() if strategy else None)
    recipe = Recipe(network, made, plan, batch_size=6, **how)
    values = {"lr": 0.05, "weight_decay": 0.0, **made.values}
    start = Start(jnp.uint32(3), {name: jnp.float32(v) for name, v in values.items()})
    state = create(recipe, DATA[tasks], start)
    factors = resolve(rules, state.params)
    return recipe, with_optimizer(state, made, adamw(), factors), factors


def at_once(recipe, state, factors, tasks):
    """(parts, (trained, surroundings)) of the state's step."""
    trained = {path: x for path, x in state.params.items() if factors[path]}
    kept = {path: x for path, x in state.params.items() if not factors[path]}
    at, batch = whereabouts(recipe, state), sample(recipe, state, DATA[tasks])
    around = Surroundings(kept, state.stats, state.memory, batch, at)
    return (recipe.method, Forward(recipe.network, recipe.plan), recipe.method.terms), (trained, around)


def one_by_one(parts, now):
    """Each task's loss and gradient by a backward pass of its own."""
    each, (trained, around) = unweighted(*parts), now
    names = parts[0].balancing.terms
    found = [jax.value_and_grad(lambda t, n=name: each(t, around)[0][n])(trained) for name in names]
    return jnp.stack([loss for loss, _ in found]), jax.tree.map(lambda *g: jnp.stack(g), *(g for _, g in found))


def assert_equal_trees(a, b, rtol=2e-5):
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=rtol, atol=1e-6), dict(a), dict(b))


@pytest.mark.parametrize("plan", ["separate", "joint"])
@pytest.mark.parametrize("tasks", [ONE, TWO], ids=["one input", "two inputs"])
@pytest.mark.parametrize("strategy", SOME)
def test_the_gradient_is_that_of_a_loop_over_the_tasks(network, tasks, strategy, plan):
    recipe, state, factors = begin(network, tasks, strategy, plan=plan)
    parts, now = at_once(recipe, state, factors, tasks)
    got = several_losses.gradient(parts, now, state.opt["balance"])
    losses, gradients = one_by_one(parts, now)
    how, key = STRATEGIES[strategy](), named(now[1].at.key, "balance")
    seen = contract.Seen(losses, key, gradients=shared(gradients))
    if how.needs == "losses":
        weights = contract.comparable(how.weigh(state.opt["balance"], seen)[0])
        wanted = contract.combine(weights, gradients)
    else:
        common, _, _ = contract.shared_direction(how, state.opt["balance"], seen)
        wanted = {path: g.mean(0) for path, g in gradients.items()} | common
    np.testing.assert_allclose(got.losses, losses, rtol=1e-5)
    assert_equal_trees(got.grads, wanted)


@pytest.mark.parametrize("tasks", [ONE, TWO], ids=["one input", "two inputs"])
def test_equal_weights_are_the_mean_of_the_losses(network, tasks):
    recipe, state, factors = begin(network, tasks, "equal")
    parts, now = at_once(recipe, state, factors, tasks)
    mean = lambda t: sum(unweighted(*parts)(t, now[1])[0].values()) / 2
    assert_equal_trees(several_losses.gradient(parts, now, ()).grads, jax.grad(mean)(now[0]))


@pytest.mark.parametrize("strategy", ["uncertainty", "cagrad", "db_mtl"])
def test_a_frozen_trunk_leaves_each_head_its_own_loss(network, strategy):
    recipe, state, factors = begin(network, TWO, strategy, (("backbone/*", "frozen"),))
    after, logged = make_step(recipe, factors)(state, DATA[TWO])
    assert all(np.isfinite(v) for v in logged.values())
    for path, x in state.params.items():
        assert (np.asarray(x) == np.asarray(after.params[path])).all() == path.startswith("backbone"), path


@pytest.mark.parametrize("strategy", ["dwa", "famo", "imtl", "gradvac", "nash_mtl", "db_mtl"])
def test_trials_run_vmapped_as_they_run_alone(network, strategy):
    recipe, state, factors = begin(network, TWO, strategy, total=8)
    other = state._replace(seed=jnp.uint32(9))
    both = jax.tree.map(lambda *x: jnp.stack(x), state, other)
    run = make_run(make_step(recipe, factors))
    quick = {"compiler_options": {"xla_backend_optimization_level": 0}}
    together, progress = jax.jit(jax.vmap(run, (0, None, None)), **quick)(both, jnp.int32(3), DATA[TWO])
    alone, _ = jax.jit(run, **quick)(other, jnp.int32(3), DATA[TWO])
    assert (np.asarray(progress.bad_step) == -1).all()
    for path, x in alone.params.items():
        np.testing.assert_allclose(together.params[path][1], x, rtol=1e-3, atol=1e-4, err_msg=path)
        assert (np.asarray(x) != np.asarray(state.params[path])).any(), path


def test_famo_sees_the_losses_of_the_same_batch_after_the_step(network):
    recipe, state, factors = begin(network, TWO, "famo")
    after, _ = make_step(recipe, factors)(state, DATA[TWO])
    parts, (_, around) = at_once(recipe, state, factors, TWO)
    each = lambda params: jnp.stack([unweighted(*parts)(params, around)[0][name] for name in ("b", "a")])
    wanted = STRATEGIES["famo"]().after(state.opt["balance"], each(state.params), each(after.params))
    assert_equal_trees({"x": after.opt["balance"].x}, {"x": wanted.x})
    assert np.asarray(wanted.x).any()


def test_the_memory_survives_a_change_of_what_is_trained(network):
    rules = (("backbone/norm1/bias", "frozen@2"),)
    recipe, state, factors = begin(network, TWO, "db_mtl", rules)
    assert set(state.opt["balance"].gradients) == {"backbone/norm1/scale"}
    state, _ = make_step(recipe, factors)(state, DATA[TWO])
    fresh = with_optimizer(state, recipe.method, adamw(), resolve(rules, state.params, 2))
    opt = carry_over(fresh.opt, state.opt)
    np.testing.assert_array_equal(
        opt["balance"].gradients["backbone/norm1/scale"], state.opt["balance"].gradients["backbone/norm1/scale"]
    )
    assert not np.asarray(opt["balance"].gradients["backbone/norm1/bias"]).any()
    assert int(opt["balance"].step) == 1


def test_a_single_task_moves_nothing_of_the_others(network):
    recipe, state, factors = begin(network, TWO, None)
    assert "balance" not in state.opt
    state = state._replace(values={**state.values, "task": jnp.float32(1)})
    after, logged = make_step(recipe, factors)(state, DATA[TWO])
    moved = np.asarray(after.params["head/kernel"] != state.params["head/kernel"])
    assert not moved[:, 0].any()
    assert moved[:, 1].all()
    np.testing.assert_allclose(logged["total"], logged["a"])


def test_tasks_on_inputs_of_their_own_cost_what_their_sum_costs():
    """Where the inputs pass apart, each task's gradient goes through its own input alone."""
    k, n, d = 4, 64, 48
    sizes = {"a": (d, d), "b": (d, d)}

    def init(key, x):
        draw = lambda i, shape: jax.random.normal(jax.random.fold_in(key, i), shape) / d**0.5
        trunk = {name: {"kernel": draw(i, shape)} for i, (name, shape) in enumerate(sizes.items())}
        return {"backbone": trunk, "head": {"kernel": draw(9, (d, k))}}, {}

    def apply(params, stats, x, **how):
        for name in sizes:
            x = jnp.tanh(x @ params["backbone"][name]["kernel"])
        return Output(x, x @ params["head"]["kernel"]), stats

    tasks = tuple(TaskHead(f"t{i}", "values", (), i, 0, i, i + 1) for i in range(k))
    data = Data(tuple((jnp.ones((n, d)) * i, jnp.ones((n, 1))) for i in range(k)), jnp.ones((n, d)))

    def flops(strategy):
        made = multitask(tasks, STRATEGIES[strategy]())
        recipe = Recipe(Network(init, apply), made, "separate", batch_size=n)
        start = Start(jnp.uint32(0), {"lr": jnp.float32(0.1), "weight_decay": jnp.float32(0)})
        state = create(recipe, data, start)
        factors = resolve((), state.params)
        state = with_optimizer(state, made, adamw(), factors)
        program = jax.jit(make_step(recipe, factors)).lower(state, data).compile()
        return program.cost_analysis()["flops"]

    assert flops("pcgrad") < 1.25 * flops("equal")


def test_which_tasks_have_a_label_in_the_batch_is_seen_by_their_labels():
    x, rows = jnp.zeros((3, 2)), jnp.arange(3)
    nan = np.nan
    ys = np.array([[0, nan, 1], [1, nan, nan], [0, nan, nan]]), np.array([[nan], [2.0], [nan]])
    heads = [("a", 0, 0), ("far", 1, 0), ("none", 0, 1), ("few", 0, 2)]
    tasks = [TaskHead(name, "values", (), i, column, j, j + 1) for j, (name, i, column) in enumerate(heads)]
    batch = Batch(tuple(Labeled(x, jnp.asarray(y), rows) for y in ys), Unlabeled(x, rows))
    balancing = multitask(tasks, STRATEGIES["famo"]()).balancing
    assert balancing is not None
    assert balancing.present is not None
    np.testing.assert_array_equal(balancing.present(batch), [True, True, False, True])
