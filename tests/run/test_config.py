"""Configurations, jobs and trials; how their execution is chosen."""

import dataclasses
from types import SimpleNamespace

import numpy as np
import pytest

from tl_jax.core.errors import UserError
from tl_jax.methods import ADAPTATION
from tl_jax.run.execute import calibration
from tl_jax.run.plan.devices import place
from tl_jax.run.plan.fits import check
from tl_jax.run.plan.jobs import jobs
from tl_jax.run.settings.config import Config
from tl_jax.training.state import Data, Start


def planned(config):
    return jobs(config, [(name, ADAPTATION[name]()) for name in config.methods])


def test_the_default_is_valid_and_has_a_name_of_its_own():
    check(Config())
    assert Config().digest() == Config().digest()
    changed = [dataclasses.replace(Config(), lr=2e-3), dataclasses.replace(Config(), seeds=(0,))]
    assert len({c.digest() for c in (Config(), *changed)}) == 3


def test_the_name_of_a_configuration_does_not_change_when_settings_are_added():
    assert Config().given() == {}
    assert Config().digest() == "44136fa3"
    assert dataclasses.replace(Config(), lr=2e-3, seeds=(0,)).digest() == "f555eb41"


def test_trials_are_swept_values_times_seeds():
    config = Config(methods=("mcc", "source_only"), seeds=(0, 1), sweep=(("temperature", (1.0, 2.0)),), lam=0.5)
    mcc, source = planned(config)
    assert [(seed, dict(v)["temperature"]) for seed, v in mcc.trials] == [(0, 1.0), (1, 1.0), (0, 2.0), (1, 2.0)]
    assert len(source.trials) == 2
    assert dict(mcc.trials[0][1])["lam"] == 0.5


def test_methods_keep_their_own_trade_off_unless_told():
    (teacher,) = planned(Config(methods=("mean_teacher",)))
    assert dict(teacher.trials[0][1])["lam"] == 3.0


def test_a_source_free_method_brings_its_source_model():
    (shot,) = planned(Config(methods=("shot",)))
    assert shot.start is not None
    assert [seed for seed, _ in shot.start.trials] == [seed for seed, _ in shot.trials]


@pytest.fixture
def timed(monkeypatch, tmp_path):
    """Calibration with given seconds a mode instead of a clock."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))

    def choose(one: float, together: float, shape: str = "lenet", steps: int = 100, sure: bool = True) -> str:
        monkeypatch.setattr(calibration, "_time", lambda mode, *_: ({"map": one, "vmap": together}[mode], sure))
        start = Start(np.zeros(3, np.uint32), {})
        data = Data((), np.zeros(1))  # pyright: ignore
        return calibration.choose(shape, lambda mode: mode, start, data, steps=steps)[0]  # pyright: ignore

    return choose


def test_the_faster_way_is_chosen_and_remembered(timed):
    assert timed(3.0, 1.0) == "vmap"
    assert timed(1.0, 3.0) == "vmap"  # not measured again for this shape
    assert timed(1.0, 3.0, "another shape") == "map"


def test_a_short_run_is_not_worth_compiling_twice(timed):
    assert timed(3.0, 1.0, steps=19) == "map"
    assert timed(9.0, 1.0, steps=21) == "vmap"  # the first measurement is remembered, the other made now


def test_near_a_tie_the_choice_does_not_depend_on_noise(timed):
    assert timed(1.1, 1.0) == "map"


def test_what_a_busy_machine_gave_is_used_once_and_not_remembered(timed):
    assert timed(3.0, 1.0, sure=False) == "vmap"
    assert timed(1.0, 3.0) == "map"
    assert timed(3.0, 1.0) == "map"


@pytest.mark.parametrize(
    ("seconds", "found"),
    [
        ((90, 4, 4.4), (1.05, True)),  # of the first the most is compiling
        ((90, 4, 40, 4, 4), (1.0, True)),
        ((90, 4, 40, 4, 8, 16, 4), (1.5, False)),
    ],
)
def test_two_measurements_that_differ_by_a_third_are_made_anew(seconds, found, monkeypatch):
    clock, taken = [0.0], iter(seconds)
    monkeypatch.setattr(calibration.time, "perf_counter", lambda: clock[0])
    run = lambda states, until, data, progress: (states, clock.__setitem__(0, clock[0] + next(taken)))
    programs = SimpleNamespace(begin=lambda *_: 0, idle=lambda *_: 0, run=run)
    placed = SimpleNamespace(data=lambda x: x, state=lambda x: x)
    assert calibration._time((programs, placed), None, None) == pytest.approx(found)  # pyright: ignore
    assert next(taken, None) is None


def test_the_first_run_of_a_shape_decides_for_a_sweep(tmp_path):
    ask = lambda shape, mode: calibration.agreed(str(tmp_path), shape, lambda: (mode, "measured"))[0]
    assert [ask("lenet", "vmap"), ask("lenet", "map"), ask("cnn", "map")] == ["vmap", "vmap", "map"]
    for path in tmp_path.iterdir():
        path.write_text("{")
    assert ask("lenet", "map") == "map"
    assert calibration.agreed("", "lenet", lambda: ("vmap", "measured")) == ("vmap", "measured")


def test_placement_prefers_trials_and_falls_back_to_the_batch():
    assert place(8, trials=8, batches=(20,), vmapped=True).over_trials
    assert not place(8, trials=3, batches=(16,), vmapped=True).over_trials
    assert place(1, trials=3, batches=(5,), vmapped=False).mesh is None
    with pytest.raises(UserError, match=r"2\.5 each"):
        place(8, trials=3, batches=(20,), vmapped=True)
