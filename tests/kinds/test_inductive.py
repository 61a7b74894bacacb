"""Inductive transfer: one pretrained model, strategies, few labels."""

import json

import numpy as np
import pytest
from tiny import FAST, SOURCE, domain

import tl_jax
from tl_jax.core.errors import UserError
from tl_jax.kinds.table import prepare
from tl_jax.run.finished import began_from, config_of, last
from tl_jax.run.plan.types import Options

OTHER = domain("other", 0.5, classes=("p", "q"))
STRATEGIES = ["scratch", "full", "linear_probe", "feature_extraction", "lora(rank=2)", "lp_ft"]
STRATEGIES += ["adapter(width=2)", "prototypical", "nearest_mean"]
SETTINGS = {**FAST, "kind": "inductive", "devices": 1, "trials": "map", "steps": 12, "pretrain_steps": 12}
SETTINGS["labels_per_class"] = []


def transfer(run_dir, **change):
    settings = {**SETTINGS, "strategies": STRATEGIES, "labels_per_class": [1, 4], "seeds": 2, **change}
    return tl_jax.fit(SOURCE, OTHER, "fine_tune", run_dir=str(run_dir), **settings)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        return transfer(tmp_path_factory.mktemp("inductive") / "run", pictures=True)


def test_every_strategy_has_a_record_for_every_amount_and_seed(finished):
    found = {(r["method"], r["values"]["labels_per_class"], r["seed"]) for r in finished.records}
    assert found == {(s, n, seed) for s in STRATEGIES for n in (1.0, 4.0) for seed in (0, 1)}
    assert {"oracle"} & {name for r in finished.records for name in r["selectors"]} == {"oracle"}
    assert "no transfer" in finished.table
    assert "over scratch" in finished.table or "under scratch" in finished.table
    assert (finished.run_dir / "labels.png").stat().st_size > 5000


def test_the_source_is_learnt_once_for_all_strategies(finished):
    lines = [json.loads(line) for line in (finished.run_dir / "metrics.jsonl").read_text().splitlines()]
    assert len([line for line in lines if line["job"] == "pretrain" and line["step"] == 12]) == 1
    assert not any("source model" in line["job"] for line in lines)


def test_a_finished_run_is_read_back(finished, tmp_path):
    again = transfer(finished.run_dir)
    assert again.records == finished.records


def test_a_head_of_the_same_classes_is_kept(tmp_path):
    """Without a step of training the target is already told apart: the head came along."""
    result = tl_jax.fit(
        SOURCE,
        domain("near too", 0.0),
        "fine_tune",
        run_dir=str(tmp_path / "run"),
        **{**SETTINGS, "strategies": ["full"], "pretrain_steps": 60, "steps": 1, "seeds": 1},
    )
    assert result.records[0]["selectors"]["last"]["target/accuracy"] > 0.8


def test_a_head_on_features_may_follow_a_source_of_the_same_classes(tmp_path):
    strategies = ["feature_extraction", "nearest_mean"]
    change = {**SETTINGS, "strategies": strategies, "seeds": 1, "run_dir": str(tmp_path / "run")}
    result = tl_jax.fit(SOURCE, domain("near too", 0.0), "fine_tune", **change)
    assert [record["method"] for record in result.records] == strategies
    assert all("source/accuracy" not in record["selectors"]["last"] for record in result.records)


def test_statistics_apart_begin_where_those_of_the_first_model_stood(tmp_path):
    sources, target = [SOURCE, domain("second", 0.3)], domain("near too", 0.0)
    change = {**SETTINGS, "strategies": ["full"], "labels_per_class": [2], "seeds": 1, "forward_plan": "per_domain"}
    result = tl_jax.fit(sources, target, ["fine_tune", "joint"], run_dir=str(tmp_path / "run"), **change)
    assert [record["method"] for record in result.records] == ["full fine_tune", "full joint"]


def test_more_labels_than_there_are_is_a_mistake(tmp_path):
    with pytest.raises(UserError, match=r"--labels_per_class=50: class number 0 of the target has 30 training"):
        transfer(tmp_path / "run", labels_per_class=[50])
    assert not (tmp_path / "run").exists()


def test_a_method_without_target_labels_is_refused(tmp_path):
    with pytest.raises(UserError, match="Unknown method 'dann'"):
        tl_jax.fit(SOURCE, OTHER, "dann", run_dir=str(tmp_path / "run"), **{**SETTINGS, "strategies": ["full"]})


def test_a_partly_labelled_target_joins_the_sources_of_adaptation(tmp_path):
    settings = {**FAST, "devices": 1, "seeds": 1, "trials": "map", "labels_per_class": [8], "steps": 24}
    result = tl_jax.fit(SOURCE, domain("far", 3.0), ["source_only"], run_dir=str(tmp_path / "run"), **settings)
    (record,) = result.records
    assert record["values"]["labels_per_class"] == 8
    assert np.isfinite(record["selectors"]["last"]["target/accuracy"])


def test_the_curve_between_probe_and_fine_tuned_model_has_both_ends(tmp_path):
    settings = {"strategies": ["lp_ft"], "labels_per_class": [4], "steps": 12, "eval_every": 6, "pictures": True}
    result = tl_jax.fit(SOURCE, OTHER, "wise_ft(alpha=1.0)", run_dir=str(tmp_path), **{**SETTINGS, **settings})
    for record in result.records:
        curve = record["interpolation"]
        assert (curve["alpha"][0], curve["alpha"][-1], len(curve["test"])) == (0.0, 1.0, 11)
        assert curve["test"][-1] == pytest.approx(record["selectors"]["last"]["target/accuracy"], abs=1e-6)
        best = curve["alpha"].index(curve["chosen"]["alpha"])
        assert curve["validation"][best] == max(curve["validation"])
        assert curve["chosen"]["target/accuracy"] == curve["test"][best]
    # Half way the trunk is still the old one: alpha 1 is the linear probe, and what the end calls alpha 0.
    with np.load(tmp_path / "records" / "lp_ft" / "00000006.npz") as stored:
        probe = (stored["target_test/logits"].argmax(-1) == OTHER.test.y).mean(1)
    np.testing.assert_allclose([r["interpolation"]["test"][0] for r in result.records], probe, atol=1e-6)
    assert (tmp_path / "interpolation.png").stat().st_size > 5000
    assert "alpha chosen by target_val" in result.table


def test_the_head_of_the_source_goes_along_where_a_method_reads_it(tmp_path):
    settings = {**SETTINGS, "strategies": ["full"], "seeds": 1, "pretrain_steps": 20, "steps": 1}
    tl_jax.fit(SOURCE, OTHER, ["lwf", "co_tuning"], run_dir=str(tmp_path), **settings)
    setup = prepare(config_of(tmp_path), Options(devices=1), {d.name: d for d in (SOURCE, OTHER)})
    for task in setup.tasks:
        assert task.start is not None
        head = last(tmp_path, task.start, None)[1].params["head/kernel"]
        began = began_from(tmp_path, task, None)
        np.testing.assert_array_equal(began[0]["source_head/kernel"], head)
        ours = last(tmp_path, task, began)[1].params["method/head/dense0/kernel"]
        assert 0 < np.abs(ours - head).max() < 2 * 0.01  # one step of Adam at this rate
