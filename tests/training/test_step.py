"""The step and the loop on the device: batches, schedules, phases, and what is recorded of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.core.keys import named
from tl_jax.core.types import Output
from tl_jax.methods.contract import Method, Terms
from tl_jax.methods.mcd import mcd
from tl_jax.methods.source_only import source_only
from tl_jax.methods.wdgrl import wdgrl
from tl_jax.training.create import create, refreshed
from tl_jax.training.freezing import resolve
from tl_jax.training.objective import split_params
from tl_jax.training.optimizer import sgd
from tl_jax.training.recipe import Recipe, whereabouts
from tl_jax.training.state import Data, Start, with_optimizer
from tl_jax.training.step import all_finite, make_run, make_step, sample

RNG = np.random.default_rng(0)
# Labels can be read off the examples, and the examples of the three sets do not overlap.
ROWS = {"source0": np.arange(11), "source1": 100 + np.arange(7), "target": 200 + np.arange(9)}
SETS = {name: jnp.float32(rows[:, None] + RNG.uniform(0, 0.5, (len(rows), 3))) for name, rows in ROWS.items()}
DATA = Data(tuple((SETS[name], jnp.array(ROWS[name] % 2)) for name in ("source0", "source1")), SETS["target"])


def begin(recipe, seed=0, **values):
    values = {"lam": 1.0, "lr": 0.01, "weight_decay": 0.0, **values}
    start = Start(jnp.uint32(seed), {name: jnp.float32(v) for name, v in values.items()})
    state = create(recipe, DATA, start)
    factors = resolve((), state.params)
    return with_optimizer(state, recipe.method, recipe.optimizer, factors), factors


def test_other_unlabelled_domains_follow_the_target_in_equal_numbers(network):
    recipe = Recipe(network, source_only(), batch_size=4)
    state, _ = begin(recipe)
    three = Data(DATA.sources, SETS["target"], (SETS["source0"], SETS["source1"]))
    drawn = [jax.jit(lambda step, data=data: sample(recipe, state._replace(step=step), data)) for data in (DATA, three)]
    union = np.concatenate([SETS[name] for name in ("target", "source0", "source1")])
    seen = []
    for step in range(11):
        alone, batch = (draw(step).target for draw in drawn)
        np.testing.assert_array_equal(batch.x, union[batch.index])
        np.testing.assert_array_equal(batch.x[:4], alone.x)
        for part, (low, high) in enumerate(((0, 9), (9, 20), (20, 27))):
            assert all(low <= row < high for row in batch.index[4 * part : 4 * part + 4])
        seen += batch.index.tolist()
    assert set(seen) == set(range(27))


# What a step is given ---------------------------------------------------------------------------


def test_a_batch_holds_rows_of_each_set_with_their_labels(network):
    recipe = Recipe(network, source_only(), batch_size=4)
    state, _ = begin(recipe)
    drawn = jax.jit(lambda step: sample(recipe, state._replace(step=step), DATA))
    batch = drawn(0)
    for part, name in (*zip(batch.sources, ("source0", "source1"), strict=True), (batch.target, "target")):
        np.testing.assert_array_equal(part.x, SETS[name][part.index])
    for part in batch.sources:
        np.testing.assert_array_equal(part.y, np.floor(part.x[:, 0]).astype(int) % 2)
    np.testing.assert_array_equal(batch.y, np.concatenate([part.y for part in batch.sources]))
    # Each set has an order of its own, and every step its own rows.
    assert len({tuple(part.index.tolist()) for part in (*batch.sources, batch.target)}) == 3
    seen = np.concatenate([drawn(step).target.index for step in range(9)])
    np.testing.assert_array_equal(np.bincount(seen), 4)


def test_batches_are_placed_where_the_run_says(network):
    recipe = Recipe(network, source_only(), batch_size=4, place_batch=lambda batch: "placed")
    assert sample(recipe, begin(Recipe(network, source_only()))[0], DATA) == "placed"


def test_progress_the_scheduled_trade_off_and_the_key_are_functions_of_seed_and_step(network):
    recipe = Recipe(network, source_only(), total=20, lam_schedule="dann")
    state, _ = begin(recipe, lam=0.5)
    at = whereabouts(recipe, state._replace(step=jnp.int32(5)))
    assert at.progress == 0.25
    np.testing.assert_allclose(at.lam, 0.5 * (2 / (1 + np.exp(-2.5)) - 1), rtol=1e-6)
    bits = lambda **change: jax.random.bits(whereabouts(recipe, state._replace(**change)).key)
    assert len({int(bits()), int(bits(step=jnp.int32(1))), int(bits(seed=jnp.uint32(1)))}) == 3


def test_the_learning_rate_follows_its_schedule(network):
    recipe = Recipe(network, source_only(), optimizer=sgd(), total=4, batch_size=4)
    state, factors = begin(recipe)
    moved = {}
    for schedule in ("constant", "cosine"):
        step = jax.jit(make_step(recipe._replace(lr_schedule=schedule), factors))
        after, _ = step(state._replace(step=jnp.int32(2)), DATA)
        moved[schedule] = after.params["head/kernel"] - state.params["head/kernel"]
    # Halfway, a cosine stands at one half.
    np.testing.assert_allclose(moved["cosine"], moved["constant"] / 2, rtol=1e-3, atol=1e-6)


# The loop ---------------------------------------------------------------------------------------


def clockwork(network, breaks_at=10**6):
    """A recipe that logs the step it is at, and whose term is not finite from `breaks_at` on."""

    def terms(own, out, batch, at):
        loss = jnp.where(at.step >= breaks_at, jnp.nan, at.step.astype(jnp.float32))
        return Terms({"source": loss}, {"clock": at.step.astype(jnp.float32)})

    return Recipe(network, Method(terms), total=20, batch_size=4)


def test_means_are_over_the_steps_of_the_call_and_a_call_without_steps_changes_nothing(network):
    recipe = clockwork(network)
    state, factors = begin(recipe)
    run = jax.jit(make_run(make_step(recipe, factors)))
    state, progress = run(state, jnp.int32(3), DATA)
    assert state.step == 3
    assert progress.means["clock"] == 1
    assert progress.bad_step == -1
    state, progress = run(state, jnp.int32(7), DATA)
    assert progress.means["clock"] == (3 + 4 + 5 + 6) / 4
    same, progress = run(state, jnp.int32(7), DATA)
    jax.tree.map(np.testing.assert_array_equal, same, state)
    assert progress.means["clock"] == 0


def test_the_first_step_that_is_not_finite_is_kept_with_its_values(network):
    recipe = clockwork(network, breaks_at=3)
    state, factors = begin(recipe)
    run = jax.jit(make_run(make_step(recipe, factors)))
    state, progress = run(state, jnp.int32(2), DATA)
    assert progress.bad_step == -1
    assert not any(progress.at_bad_step.values())
    state, progress = run(state, jnp.int32(6), DATA)
    assert progress.bad_step == 3
    assert progress.at_bad_step["clock"] == 3
    assert np.isnan(progress.at_bad_step["source"])
    assert np.isnan(progress.at_bad_step["total"])
    assert state.step == 4  # nothing is trained after it
    assert progress.finite  # this term has no gradient


def test_parameters_and_statistics_are_looked_at_not_losses_alone():
    fine = {"a": jnp.ones(3), "b": {"c": jnp.zeros((2, 2))}}
    assert all_finite(fine)
    for bad in (jnp.nan, jnp.inf, -jnp.inf):
        assert not all_finite({**fine, "b": {"c": jnp.array([[0.0, bad]])}})


def test_one_call_is_many_steps_to_the_bit(network):
    recipe = Recipe(network, source_only(), total=20, batch_size=4, clip_norm=1.0)
    state, factors = begin(recipe)
    run = jax.jit(make_run(make_step(recipe, factors)))
    whole, _ = run(state, jnp.int32(6), DATA)
    for until in (1, 2, 5, 6):
        state, _ = run(state, jnp.int32(until), DATA)
    jax.tree.map(np.testing.assert_array_equal, state, whole)


# Phases -----------------------------------------------------------------------------------------


def alternating(network, *phases):
    method = mcd(generator_steps=3)
    method = method._replace(phases=tuple(method.phases[i] for i in phases))
    return Recipe(network, method, batch_size=4)


HEADS = {"head/kernel", "head/bias", "method/head/kernel", "method/head/bias"}
TRUNK = {"backbone/norm1/scale", "backbone/norm1/bias"}


@pytest.mark.parametrize(("phase", "moving"), [(0, HEADS | TRUNK), (1, HEADS), (2, TRUNK)])
def test_a_phase_moves_its_groups_and_nothing_else(network, phase, moving):
    recipe = alternating(network, phase)
    state, factors = begin(recipe, weight_decay=0.5)
    after, _ = jax.jit(make_step(recipe, factors))(state, DATA)
    assert {path for path, x in after.params.items() if (x != state.params[path]).any()} == moving
    for group, paths in (("heads", HEADS), ("trunk", TRUNK)):
        assert set(state.opt[group].mu) == paths
        assert bool(after.opt[group].count) == (paths <= moving)


def test_phases_repeat_with_optimisers_of_their_own_and_all_their_terms_are_logged(network):
    recipe = alternating(network, 0, 1, 2)
    state, factors = begin(recipe)
    after, logged = jax.jit(make_step(recipe, factors))(state, DATA)
    # Heads: together and to disagree. Trunk: together, and three times to agree.
    assert (after.opt["heads"].count, after.opt["trunk"].count) == (2, 4)
    assert {"source", "agreement", "discrepancy", "total", "grad_norm"} == set(logged)
    assert after.step == 1


@pytest.mark.parametrize(("method", "passes"), [(source_only(), 1), (mcd(generator_steps=3), 5), (wdgrl(), 6)])
def test_every_phase_and_every_repeat_of_it_draws_from_a_key_of_its_own(network, method, passes):
    keys = []

    def apply(params, stats, x, key=None, **how):
        if key is not None:
            jax.debug.callback(lambda bits: keys.append(bits.tolist()), jax.random.key_data(key), ordered=True)
        return network.apply(params, stats, x, key=key, **how)

    recipe = Recipe(network._replace(apply=apply), method, batch_size=4)
    state, factors = begin(recipe, **method.values)
    jax.block_until_ready(jax.jit(make_step(recipe, factors))(state, DATA))
    jax.effects_barrier()
    assert len(keys) == len(set(map(tuple, keys))) == passes
    # The first is the step's own: what has one phase draws as if there were no phases.
    first = named(whereabouts(recipe, state).key, "joint")
    assert keys[0] == jax.random.key_data(first).tolist()


def test_the_memory_follows_the_step(network):
    after = lambda model, out, batch, at: {
        "sum": model.memory["sum"] + at.step,
        "head": model.params["head"]["bias"],
        "rows": batch.target.index,
        "logits": out["source"].logits,
    }
    method = source_only()._replace(after=after)
    recipe = Recipe(network, method, batch_size=4)
    state, factors = begin(recipe)
    state = state._replace(memory={"sum": jnp.int32(10), "head": jnp.zeros(2)})
    step = make_step(recipe, factors)
    for want in (10, 11):
        before, (state, _) = state, step(state, DATA)
        assert state.memory["sum"] == want
        # It sees the parameters after the update, the batch, and the outputs that its gradient was taken of.
        np.testing.assert_array_equal(state.memory["head"], state.params["head/bias"])
        batch = sample(recipe, before, DATA)
        np.testing.assert_array_equal(state.memory["rows"], batch.target.index)
        x = jnp.concatenate([part.x for part in batch.sources])
        params, stats = split_params(before.params)[0], before.stats["all"]
        out, _ = network.apply(params, stats, x, train=True)
        np.testing.assert_allclose(state.memory["logits"], out.logits, rtol=1e-5, atol=1e-6)


def test_a_refresh_knows_where_the_run_stands_and_draws_apart_from_the_step(network):
    method = source_only()._replace(refresh=lambda network, model, x, at: {"at": at, "rows": len(x)})
    recipe = Recipe(network, method, total=20, lam_schedule="dann")
    state, _ = begin(recipe)
    assert (float(state.memory["at"].progress), float(state.memory["at"].lam)) == (0, 0)
    later = state._replace(step=jnp.int32(10))
    at, step = refreshed(recipe, later, SETS["target"]).memory["at"], whereabouts(recipe, later)
    assert (float(at.progress), float(at.lam)) == (0.5, float(step.lam))
    assert set(at.values) == {"lam", "lr", "weight_decay"}
    assert jax.random.bits(at.key) != jax.random.bits(step.key)


def test_the_network_is_applied_in_training_mode(network):
    seen = []

    def apply(params, stats, x, **how):
        seen.append((how["train"], how["key"] is not None, how["frozen"]))
        return Output(x, x[:, :2] * params["head"]["bias"][None]), stats

    recipe = Recipe(network._replace(apply=apply), source_only(), batch_size=4)
    state, _ = begin(Recipe(network, source_only()))
    factors = resolve((("backbone/*", "frozen"),), state.params)
    jax.eval_shape(make_step(recipe, factors), with_optimizer(state, recipe.method, recipe.optimizer, factors), DATA)
    assert seen == [(True, True, frozenset({"backbone/norm1"}))]
