"""Whole small runs: what they leave behind, and what must not change them."""

import json

import numpy as np
import pytest
from tiny import FAST, SOURCE, TARGET, domain, records, stop

import tl_jax
from tl_jax.core.batching import usual_batch
from tl_jax.core.types import Output
from tl_jax.evaluation.label_free.record import Seen
from tl_jax.kinds.predicting import records as stored
from tl_jax.training.trials import Programs, predict_all


def fit(run_dir, methods="mcc", target=TARGET, **change):
    settings = {"seeds": 1, "devices": 1, **FAST, "steps": 6, "eval_every": 3, **change}
    return tl_jax.fit(SOURCE, target, methods, run_dir=str(run_dir), **settings)


def losses(run_dir) -> np.ndarray:
    lines = [json.loads(line) for line in (run_dir / "metrics.jsonl").read_text().splitlines()]
    return np.array([[line["source"], line["total"], line["grad_norm"]] for line in lines])


def test_the_run_directory_holds_what_it_should(tmp_path):
    result = fit(tmp_path / "run", ["source_only", "cdan(entropy=True)"], seeds=2, pictures=True)
    names = {path.name for path in (tmp_path / "run").iterdir()}
    written = {"config.json", "environment.json", "metrics.jsonl", "results.json", "table.md", "checkpoints", "records"}
    assert names >= written | {"curves.png", "samples.png", "embedding.png"}
    assert json.loads((tmp_path / "run" / "results.json").read_text()) == result.records
    assert len(result.records) == 4
    record = result.records[-1]
    assert {k: record[k] for k in ("kind", "method", "source", "target", "seed")} == {
        "kind": "transductive",
        "method": "cdan(entropy=True)",
        "source": "near",
        "target": "far",
        "seed": 1,
    }
    assert record["values"]["lam"] == 1.0
    assert set(record["selectors"]) == {"last", "selected", "oracle"}
    assert record["selectors"]["last"]["step"] == 6
    assert record["selectors"]["selected"]["criterion"] == "im"
    assert 0 <= record["selectors"]["last"]["target/accuracy"] <= 1


def test_target_labels_reach_no_method(tmp_path):
    """Training labels of the target are replaced by noise: every stored prediction stays, to the bit."""
    noise = TARGET.train._replace(y=np.random.default_rng(1).integers(0, 3, 60).astype(np.int32))
    noisy = tl_jax.Domain("far", TARGET.classes, noise, TARGET.validation, TARGET.test)
    methods = ["dann", "shot"]  # every method's own test of it is the contract's
    fit(tmp_path / "a", methods)
    fit(tmp_path / "b", methods, noisy)
    before, after = records(tmp_path / "a"), records(tmp_path / "b")
    assert before.keys() == after.keys()
    assert len(before) > 10
    for name in before:
        np.testing.assert_array_equal(before[name], after[name], err_msg=name)


def test_target_validation_labels_move_the_oracle_alone(tmp_path):
    wrong = TARGET.validation._replace(y=(TARGET.validation.y + 1) % 3)
    noisy = tl_jax.Domain("far", TARGET.classes, TARGET.train, wrong, TARGET.test)
    (a,) = fit(tmp_path / "a").records
    (b,) = fit(tmp_path / "b", target=noisy).records
    for selector in ("last", "selected"):
        assert a["selectors"][selector] == b["selectors"][selector]


def test_two_runs_are_equal_to_the_bit(tmp_path):
    fit(tmp_path / "a", "mcd")
    fit(tmp_path / "b", "mcd")
    for name in ("results.json", "metrics.jsonl"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize(
    "settings", [pytest.param({"trials": "map"}, marks=pytest.mark.slow), {"trials": "vmap", "seeds": 8}]
)
def test_eight_devices_give_the_losses_of_one(settings, tmp_path):
    """The batch is sharded in the first case, the trials in the second."""
    fit(tmp_path / "one", "dann", devices=1, **settings)
    fit(tmp_path / "eight", "dann", devices=8, **settings)
    np.testing.assert_allclose(losses(tmp_path / "one"), losses(tmp_path / "eight"), rtol=2e-4, atol=1e-6)


def test_vmapped_trials_give_the_losses_of_trials_in_turn(tmp_path):
    fit(tmp_path / "map", "dann", seeds=3, trials="map")
    fit(tmp_path / "vmap", "dann", seeds=3, trials="vmap")
    np.testing.assert_allclose(losses(tmp_path / "map"), losses(tmp_path / "vmap"), rtol=2e-4, atol=1e-6)


@pytest.mark.exact
def test_a_trial_does_not_depend_on_its_company(tmp_path):
    together = fit(tmp_path / "many", seeds=[3, 5], trials="map").records
    (alone,) = fit(tmp_path / "one", seeds=[5], trials="map").records
    assert together[1] == alone


def test_a_checkpoint_of_eight_devices_opens_on_one(tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        stop(patch)
        assert not fit(tmp_path / "run", devices=8).complete
    assert fit(tmp_path / "run", devices=1).complete


def test_rules_that_change_at_a_step_survive_a_stop(tmp_path, monkeypatch):
    """The stop falls on the very step at which the backbone begins to move."""
    rules = {"freeze": [("backbone/*", "frozen@3")], "steps": 9}
    undisturbed = fit(tmp_path / "a", **rules)
    with monkeypatch.context() as patch:
        stop(patch)
        assert not fit(tmp_path / "b", **rules).complete
    assert fit(tmp_path / "b", **rules).records == undisturbed.records
    assert undisturbed.records != fit(tmp_path / "c", steps=9).records


def test_a_sweep_is_crossed_with_the_seeds_and_shown_in_the_table(tmp_path):
    result = fit(tmp_path / "run", ["source_only", "mcc"], seeds=2, sweep={"temperature": [1.0, 4.0], "lam": [0.5]})
    found = [(r["method"], r["values"].get("temperature"), r["seed"]) for r in result.records]
    mcc = [("mcc", 1.0, 0), ("mcc", 1.0, 1), ("mcc", 4.0, 0), ("mcc", 4.0, 1)]
    assert found == [("source_only", None, 0), ("source_only", None, 1), *mcc]
    head = result.table.splitlines()[0].split()
    assert head[:3] == ["method", "temperature", "lam"]


def test_several_sources_are_trained_on_together(tmp_path):
    second = domain("nearer", 0.5)
    result = tl_jax.fit(
        [SOURCE, second], TARGET, "dann", seeds=1, devices=1, run_dir=str(tmp_path / "run"), **{**FAST, "steps": 6}
    )
    assert result.records[0]["source"] == "near+nearer"


def test_bfloat16_computes_and_float32_is_kept(tmp_path):
    result = fit(tmp_path / "run", precision="bfloat16")
    assert result.complete
    floats = {a.dtype for a in records(tmp_path / "run").values() if np.issubdtype(a.dtype, np.floating)}
    assert floats == {np.dtype(np.float32)}


@pytest.mark.parametrize("beside", [None, -1, 0, 1])
def test_evaluation_sees_every_example_once(beside):
    n = 1 if beside is None else usual_batch() + beside
    x = np.arange(n, dtype=np.float32).reshape(n, 1)
    echo = lambda states, part, domain: Output(part[None], part[None] * 2)
    stub = Programs(*[None] * 5, predict=echo, by_domain=False)  # pyright: ignore
    out = predict_all(stub, None, x, "target")  # pyright: ignore
    np.testing.assert_array_equal(out.features[0], x)
    np.testing.assert_array_equal(out.logits[0], 2 * x)


def test_one_seed_alone_has_no_spread(tmp_path):
    table = fit(tmp_path / "run").table
    assert "±" not in table
    assert "one seed, so no spread" in table


def test_more_than_ten_sources_meet_their_own_labels():
    """By name source 10 comes before source 2."""
    sets = {stored.name_of_source(i): Seen(np.full((i + 1, 2), i, np.float32)) for i in range(12)}
    labels = np.concatenate([np.full(i + 1, i) for i in range(12)])
    others = dict.fromkeys(("target", "target_validation", "target_test"), Seen(np.zeros((3, 2))))
    seen = stored.evaluated(stored.stored({**sets, **others})).record(labels)
    np.testing.assert_array_equal(seen.source.logits[:, 0], seen.source.y)
