"""A search from round to round, of scores that nothing was trained for."""

import dataclasses
import importlib
import json
import math

import pytest

from tl_jax.core.errors import UserError
from tl_jax.run.settings.config import Config
from tl_jax.sweep import search as searches
from tl_jax.sweep.asked.space import Asked, points, studies
from tl_jax.sweep.directory import Plan, SweepDirectory
from tl_jax.sweep.plan import Run
from tl_jax.sweep.search import ahead, check, first, further, point, scores, searched

OVER = ["method=source_only, dann", "lr=log_uniform(1e-4, 1e-1)"]
ASKED = Asked(over=OVER, only=["dann: lam=uniform(0, 2)"], draws=24)
BASE = Config(methods=("dann",), steps=10, seeds=(0, 1))


def made(draws: int = 24, rounds: int = 4, asked: Asked = ASKED):
    pytest.importorskip("optuna", reason="Optuna is not installed: pip install 'tl_jax[search]'")
    return searched(studies(asked), draws, rounds, 0)


def best_at(at):
    """Greatest where lr is 0.01."""
    _, params = at
    return -abs(math.log10(params["lr"]) + 2) - abs(params.get("lam", 1.0) - 1.0)


def all_rounds(search, score) -> Plan:
    plan = Plan(BASE, {}, "", (), None, (first(search),))
    while more := further(search, plan, score):
        plan = plan._replace(rounds=(*plan.rounds, more))
    return plan


def test_a_study_is_a_combination_of_what_is_not_random():
    found = studies(ASKED)
    assert [one.fixed for one in found] == [{"method": ("source_only",)}, {"method": ("dann",)}]
    assert found[0].drawn == {"lr": ("log_uniform", 1e-4, 1e-1)}
    assert found[1].drawn == {"lr": ("log_uniform", 1e-4, 1e-1), "lam": ("uniform", 0, 2)}


def test_the_first_round_is_what_draws_give_without_a_search():
    search = made(8, 2)
    of = lambda found: {json.dumps(one) for one in found}
    assert of(point(search, one) for one in first(search)) == of(points(ASKED._replace(draws=4)))
    assert ahead(search, Plan(BASE, {}, "", (), None, ((),))) == 1.0


def test_later_rounds_are_nearer_to_what_scored_well_and_the_same_again():
    search = made()
    plan = all_rounds(search, best_at)
    assert [len(one) for one in plan.rounds] == [12] * 4
    mean = lambda one: sum(map(best_at, one)) / len(one)
    assert mean(plan.rounds[3]) > mean(plan.rounds[0])
    kept = json.loads(json.dumps(plan.rounds))  # as a plan is read again after a kill
    for number in (1, 2, 3):
        cut = plan._replace(rounds=tuple(kept[:number]))
        assert json.loads(json.dumps(further(search, cut, best_at))) == kept[number]
    assert all(1e-4 <= p["lr"] <= 1e-1 and float(f"{p['lr']:.6g}") == p["lr"] for one in plan.rounds for _, p in one)
    other = all_rounds(made(24, 4), lambda at: -best_at(at))
    assert other.rounds[0] == plan.rounds[0]
    assert other.rounds[3] != plan.rounds[3]


def test_what_has_no_score_is_told_as_the_worst_and_whole_numbers_stay_whole():
    search = made(6, 3, Asked(over=["batch_size=whole(8, 9)"], draws=6))
    plan = all_rounds(search, lambda at: None if at[1]["batch_size"] == 8 else 1.0)
    assert {p["batch_size"] for one in plan.rounds for _, p in one} == {8, 9}
    assert all(type(p["batch_size"]) is int for one in plan.rounds for _, p in one)
    assert [point(search, one)["batch_size"] for one in plan.rounds[2]] == [p["batch_size"] for _, p in plan.rounds[2]]


def test_a_score_is_the_mean_over_seeds_of_the_criterion_and_none_where_one_is_missing(tmp_path):
    search, sweep = made(), SweepDirectory(tmp_path / "s")
    lrs = (0.001, 0.01, 0.1)
    dann = dataclasses.replace(BASE, sweep=(("lr", lrs), ("lam", (0.5,))))
    runs = (Run("a", dann, 6), Run("b", dataclasses.replace(BASE, methods=("source_only",), sweep=(("lr", lrs),)), 6))
    record = lambda lr, score, **more: {
        "method": "dann",
        "values": {"lr": lr, "lam": 0.5, "weight_decay": 0.01, **more},
        "selectors": {"selected": {"score": score, "target/accuracy": 99.0}, "oracle": {"target/accuracy": 99.0}},
    }
    found = [record(0.001, 1.0), record(0.001, 2.0), record(0.01, 5.0), record(0.01, None), record(0.1, 3.0)]
    del found[4]["selectors"]
    sweep.run("a").mkdir(parents=True)
    (sweep.run("a") / "results.json").write_text(json.dumps(found))
    score = scores(sweep, Plan(BASE, {}, "", runs), search)
    assert score((1, {"lr": 0.001, "lam": 0.5})) == 1.5
    assert score((1, {"lr": 0.01, "lam": 0.5})) is None  # a seed was refused
    assert score((1, {"lr": 0.1, "lam": 0.5})) is None  # or diverged
    assert score((1, {"lr": 0.001, "lam": 0.6})) is None
    assert score((0, {"lr": 0.001})) is None  # a run that failed has no results


def test_a_plan_is_kept_with_its_rounds(tmp_path):
    search, sweep = made(8, 2), SweepDirectory(tmp_path / "s")
    plan = Plan(BASE, {}, "", (Run("a", BASE, 2),), None, (first(search),))
    sweep.keep(plan)
    assert json.dumps(sweep.plan().rounds) == json.dumps(plan.rounds)


def test_mistakes_are_messages(monkeypatch):
    with pytest.raises(UserError, match="in how many rounds"):
        made(4, 5)
    with pytest.raises(UserError, match="nothing is drawn"):
        studies(Asked(over=["lr=1"], draws=3))
    search, several = made(), dataclasses.replace(BASE, methods=("dann", "mcc"))
    with pytest.raises(UserError, match="--search: a run is one setting of one method"):
        check(search, Plan(BASE, {}, "", (Run("a", several, 2),)))
    with pytest.raises(UserError, match="lr: "):
        check(made(asked=Asked(over=["lr=log_uniform(1e-1, 1e-4)"], draws=3)), Plan(BASE, {}, "", ()))
    monkeypatch.setattr(importlib, "import_module", lambda name: (_ for _ in ()).throw(ImportError(name)))
    with pytest.raises(UserError, match=r"pip install 'tl_jax\[search\]'"):
        searches._optuna()
