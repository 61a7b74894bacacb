"""Points become runs: one a program, with all of its numbers as trials."""

import dataclasses

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import NETWORK, SOURCE, TARGET

from tl_jax.core.errors import UserError
from tl_jax.kinds.table import prepare
from tl_jax.run.plan.types import Options
from tl_jax.run.settings.config import Config
from tl_jax.sweep import plan
from tl_jax.sweep.asked.space import Asked, points

BASE = Config(source=("near",), target="far", network=NETWORK, steps=8, batch_size=16, seeds=(0, 1))
DOMAINS = {"near": SOURCE, "far": TARGET}


def planned(*over: str, most: int = 0, **asked) -> list[plan.Run]:
    ready = lambda config: prepare(config, Options(devices=1), DOMAINS)
    return plan.runs(BASE, points(Asked(over=over, **asked)), ready, most)


def test_a_program_is_one_run_and_a_value_that_a_method_lacks_is_dropped():
    runs = planned("method=source_only, dann, mcc", "lam=0.1, 0.3, 1", "batch_size=8, 16", "lr=0.01")
    assert [(r.config.methods, r.config.batch_size, r.trials) for r in runs] == [
        (("source_only",), 8, 2),
        (("source_only",), 16, 2),
        (("dann",), 8, 6),
        (("dann",), 16, 6),
        (("mcc",), 8, 6),
        (("mcc",), 16, 6),
    ]
    assert runs[0].config.sweep == (("lr", (0.01,)),)
    assert dict(runs[2].config.sweep) == {"lam": (0.1, 0.3, 1.0), "lr": (0.01,)}
    assert runs[2].name.startswith("dann-8-")
    assert len({r.name for r in runs}) == 6


def test_a_long_list_of_methods_leaves_room_for_the_pair_in_a_runs_name():
    (run,) = planned("method=(source_only, dann, cdan, mcc, bnm, afn)", "source=far", "target=near")
    assert run.name.startswith("source_only-dann-cdan-mc-far-near-")


def test_labels_and_what_the_kind_of_transfer_sweeps_itself_are_trials_too():
    base = dataclasses.replace(BASE, sweep=(("lr", (0.01, 0.02)),), methods=("dann",))
    ready = lambda config: prepare(config, Options(devices=1), DOMAINS)
    (run,) = plan.runs(base, points(Asked(over=["labels_per_class=1, 2"])), ready)
    assert run.config.labels_per_class == (1, 2)
    assert run.config.sweep == base.sweep
    assert run.trials == 8
    with pytest.raises(UserError, match="'lr' is swept twice"):
        plan.runs(base, [{"lr": 1.0}], ready)


def test_a_run_has_at_most_so_many_trials():
    runs = planned("method=dann", "lam=0.1, 0.3, 1", most=4)
    assert [r.trials for r in runs] == [4, 2]
    assert [dict(r.config.sweep)["lam"] for r in runs] == [(0.1, 0.3), (1.0,)]


def test_a_mistake_in_any_program_is_said_before_there_is_a_plan():
    with pytest.raises(UserError, match="Did you mean 'temperature'"):
        planned("method=dann, mcc", "temprature=1, 2")
    with pytest.raises(UserError, match="Unknown method 'dan2'"):
        planned("method=mcc, dan2")
    with pytest.raises(UserError, match="must be a finite number"):
        planned("method=dann", "lr=-1, 1")
    with pytest.raises(UserError, match="batch_size"):
        planned("batch_size=16, 1")


POINT = st.fixed_dictionaries({}, optional={n: st.sampled_from([0.0, 0.5, 1.0]) for n in ("lam", "lr", "temperature")})


@settings(max_examples=60, deadline=None)
@given(st.lists(POINT, min_size=1, max_size=20), st.integers(1, 8))
def test_every_point_is_a_trial_of_exactly_one_run(found, most):
    found = plan._once(found)
    trials = []
    for grid in plan._grids(found, most):
        config = plan._with(BASE, grid)
        size = 1
        for _, values in config.sweep:
            size *= len(values)
        assert size == len(grid) <= most
        trials += grid
    key = lambda point: sorted(point.items())
    assert sorted(map(key, trials)) == sorted(map(key, found))


def test_a_configuration_comes_back_from_json_and_names_only_what_was_given():
    config = dataclasses.replace(BASE, sweep=(("lam", (0.1, 1.0)),), freeze=(("a/*", "frozen"),))
    assert plan.config_of(config.to_json()) == config
    assert plan.config_of(plan.given(Config(), config)) == config
    with pytest.raises(UserError, match="'wings' is no setting"):
        plan.config_of({"wings": 2})
