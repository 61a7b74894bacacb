"""What a sweep costs, with costs that nobody measured."""

import dataclasses
import json

import pytest

from tl_jax.core.errors import UserError
from tl_jax.run.cost import JobCost
from tl_jax.run.settings.config import Config
from tl_jax.sweep import budget
from tl_jax.sweep.asked.rungs import Halving
from tl_jax.sweep.budget import Costs, estimate, hours_of, lengths
from tl_jax.sweep.directory import Plan
from tl_jax.sweep.plan import Run
from tl_jax.sweep.report import costs

BASE = Config(methods=("dann",), steps=600, eval_every=100, seeds=(0, 1))
OPTIONS = {"platform": "cpu", "devices": 1, "trials": "auto", "device_bytes": 0, "workers": 0}


def plan_of(*more: dict, halving: Halving | None = None) -> Plan:
    runs = [Run(f"run{i}", dataclasses.replace(BASE, **one), 2) for i, one in enumerate(more)]
    return Plan(BASE, OPTIONS, "", tuple(runs), halving)


def lams(n: int) -> list[dict]:
    return [{"sweep": (("lam", (float(i),)),)} for i in range(n)]


def test_a_budget_is_minutes_hours_or_days():
    assert [hours_of(text) for text in ("90m", "20h", "2d", "0.5h")] == [1.5, 20.0, 48.0, 0.5]
    for text in ("20", "h", "-1h", "0h", "1w"):
        with pytest.raises(UserError, match="as in 90m, 20h or 2d"):
            hours_of(text)


def test_an_estimate_is_of_starts_steps_and_evaluations_of_what_is_left():
    plan = plan_of({}, {"steps": 1200}, {"network": "cnn"})
    cost = lambda run: Costs(10.0, (JobCost(0.1, 1.0),))
    found = estimate(plan, ["run0", "run1"], cost)
    assert (found.programs, found.trials) == (1, 4)
    assert found.hours == pytest.approx((10 + 60 + 6 + 10 + 120 + 12) / 3600)
    assert found.longest == pytest.approx(142 / 3600)
    assert found.elapsed(1) == found.hours
    assert found.elapsed(8) == found.longest
    assert estimate(plan, [], cost).hours == 0.0
    assert "1 programs, 4 trials" in costs(found, 2)
    assert "2.4 min with 2 runs at once" in costs(found, 2)
    assert "3.6 min of tasks like this machine, the longest run 2.4 min" in costs(found, 0)


def test_runs_whose_length_is_not_known_yet_have_no_price():
    with pytest.raises(UserError, match="--budget: how many steps --epochs are"):
        estimate(plan_of({"epochs": 2.0}), ["run0"], lambda run: Costs(10.0, ()))


def test_a_hidden_job_has_its_own_steps_and_what_is_not_trained_has_none():
    config = dataclasses.replace(BASE, pretrain_steps=50)
    assert JobCost(0.1, 1.0, hidden=True).seconds(config, 600) == pytest.approx(5 + 1)
    assert JobCost(0.1, 1.0, hidden=True).seconds(BASE, 100) == pytest.approx(60 + 6)
    assert JobCost(0.0, 1.0, trained=False).seconds(BASE, 600) == 1.0


def test_of_halved_settings_only_those_that_go_on_cost_all_steps():
    plan = plan_of(*lams(9), halving=Halving(3, (100, 300)))
    assert list(lengths(plan).values()) == [(600, 3), (300, 2), (300, 2), *[(100, 1)] * 6]
    alone = plan_of(*lams(2), halving=Halving(3, (100, 300)))
    assert list(lengths(alone).values()) == [(600, 2), (100, 1)]
    assert set(lengths(plan_of(*lams(3))).values()) == {(600, 1)}


def test_a_program_is_measured_once_and_remembered_on_this_machine(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    measured = []

    def measure(run, options, places):
        measured.append(run.name)
        return Costs(9.0, (JobCost(0.5, 0.25), JobCost(0.0, 0.1, trained=False)))

    monkeypatch.setattr(budget, "_measure", measure)
    pairs = (
        {"source": (f"office_caltech/{a}",), "target": f"office_caltech/{b}"}
        for a, b in (("amazon", "dslr"), ("dslr", "amazon"))
    )
    plan, said = plan_of(*lams(3), {"network": "cnn"}, {"steps": 7}, *pairs), []
    cost = budget.measured(OPTIONS, [{}, {}], said.append)
    first = [cost(run) for run in plan.runs]
    assert measured == ["run0", "run3", "run5"]
    assert len(said) == 3
    assert [budget.measured(OPTIONS, [{}, {}], said.append)(run) for run in plan.runs] == first
    assert len(measured) == 3
    budget.measured(OPTIONS, [{}], said.append)(plan.runs[0])  # another pool
    assert len(measured) == 4


def test_places_are_measured_at_once_and_the_slowest_counts(monkeypatch):
    """Processes that answer at once, the second with more."""

    class Process:
        count = 0
        returncode = 0

        def __init__(self, *_, env, **__):
            Process.count += 1
            self.answer = json.dumps([0.0, [[0.1 * Process.count, 1.0 / Process.count, True, False]]])
            self.stdin = self
            self.written = ""

        def write(self, text):
            assert json.loads(text)["config"]["methods"] == ["dann"]

        def close(self): ...

        def communicate(self):
            return f"a line\n{self.answer}\n", ""

    monkeypatch.setattr(budget.subprocess, "Popen", Process)
    found = budget._measure(plan_of({}).runs[0], OPTIONS, [{}, {}])
    assert found.jobs == (JobCost(0.2, 1.0),)
    assert 0 <= found.start < 5
