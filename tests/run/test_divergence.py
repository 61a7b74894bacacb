"""Trials that diverge: marked, left out, and without effect on the others."""

import json

import numpy as np
import pytest
from tiny import FAST, SOURCE, TARGET

import tl_jax
from tl_jax.core.errors import UserError
from tl_jax.run.execute import divergence
from tl_jax.training.step import Progress

HOW = {**FAST, "steps": 12, "eval_every": 6, "seeds": 1, "optimizer": "sgd", "trials": "map"}
HOW.pop("lr")  # it is swept here


def progress(bad_steps, finite, **terms):
    n = len(bad_steps)
    at = {name: np.array(values, np.float32) for name, values in terms.items()}
    return Progress({}, np.ones(n), np.array(bad_steps), at, np.array(finite))


@pytest.fixture(scope="module")
def swept(tmp_path_factory):
    """One learning rate that trains and one that overflows."""
    place = tmp_path_factory.mktemp("swept")
    return place, go(place / "both", (0.01, 1e30))


def go(place, lrs):
    return tl_jax.fit(SOURCE, TARGET, ["source_only", "dan"], sweep={"lr": lrs}, run_dir=str(place), **HOW)


@pytest.mark.exact
def test_the_others_go_on_as_if_it_were_not_there(swept):
    place, both = swept
    alone = go(place / "alone", (0.01,))
    finite = divergence.alive(both.records)
    assert finite == alone.records
    assert len(both.records) == 2 * len(finite)
    for job in ("source_only", "dan"):
        for step in (6, 12):
            one, other = (np.load(place / run / "records" / job / f"{step:08d}.npz") for run in ("both", "alone"))
            np.testing.assert_array_equal(one["target_test/logits"][:1], other["target_test/logits"])


def test_it_is_marked_in_results_table_and_metrics(swept):
    place, both = swept
    (dead,) = [r for r in both.records if r["values"]["lr"] > 1 and r["method"] == "dan"]
    assert dead["diverged"].startswith("step ")
    assert "selectors" not in dead
    rows = [line for line in both.table.splitlines() if line.startswith("dan") and "1e+30" in line]
    assert len(rows) == 1
    assert "1 of 1 trials diverged: seed 0 at step " in rows[0]
    lines = [json.loads(line) for line in (place / "both" / "metrics.jsonl").read_text().splitlines()]
    assert {line["values"]["lr"] for line in lines} == {0.01}
    json.loads((place / "both" / "results.json").read_text(), parse_constant=pytest.fail)


def test_the_first_reason_stays_and_terms_come_before_what_follows_from_them():
    nan = np.nan
    seen = progress([-1, 4, -1], [True, False, False], source=[1, nan, 1], total=[1, nan, 1])
    reasons = divergence.in_training(seen, 10, ["", "", ""])
    assert reasons == ["", "step 4: term 'source' is nan", "step 10: parameters or statistics are not finite"]
    assert divergence.in_training(progress([7, 8, 9], [True] * 3, source=[nan] * 3), 12, reasons)[1:] == reasons[1:]


def test_predictions_that_are_not_finite_count_too():
    record = {"target_test/logits": np.array([[1.0, 2.0], [np.inf, 0.0]])}
    assert divergence.in_predictions(record, 6, ["", ""]) == [
        "",
        "step 6: predictions (target_test/logits) are not finite",
    ]


def test_the_reasons_of_a_stopped_run_are_read_from_its_last_record():
    marks = {12: ["", "step 9: term 'total' is inf"]}
    assert divergence.so_far(marks, 6, [False] * 2) == ["", ""]
    assert divergence.so_far(marks, 17, [False, True]) == ["", "step 9: term 'total' is inf"]
    assert divergence.so_far({}, 17, [True, False]) == ["before step 17 (its mark is lost)", ""]


def test_a_job_none_of_whose_trials_is_left_ends_and_does_not_blame_the_rate_for_its_first_step(tmp_path):
    huge = SOURCE.train._replace(x=SOURCE.train.x * np.float32(3e37))
    how = {**HOW, "network": "mlp(bottleneck=0, hidden=(16,))", "standardise": "none"}
    source = tl_jax.Domain("huge", SOURCE.classes, huge, SOURCE.validation, SOURCE.test)
    with pytest.raises(UserError, match=r"source_only, step 0: .*not the cause: look at the data .*huge [\d.]+e\+38"):
        tl_jax.fit(source, TARGET, "source_only", run_dir=str(tmp_path / "run"), **how)
