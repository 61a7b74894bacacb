"""What criteria would have chosen: on made-up scores, and on a run that was made."""

from types import SimpleNamespace

import numpy as np
import pytest
import tiny
from scipy.special import softmax

import tl_jax
from tl_jax.core.errors import UserError
from tl_jax.evaluation.label_free import mixtures
from tl_jax.kinds.predicting import plan
from tl_jax.programs import select as room
from tl_jax.run.plan import prepare
from tl_jax.run.plan.problem import Problem
from tl_jax.run.settings.config import Config

SCORES = np.array([[0.1, 0.9, 0.9], [0.3, np.nan, 0.2], [0.95, 0.0, 0.1], [np.nan] * 3])
TEST = np.arange(12.0).reshape(4, 3)


def test_the_choice_is_the_highest_score_and_of_equal_ones_the_later_step():
    steps, values = room.chosen(SCORES, TEST, np.array([0, 0, 1, 1]))
    assert steps.tolist() == [2.0, 3.0, 6.0, 11.0]
    assert values.tolist() == [2.0, 6.0]


def test_the_ensemble_ranks_candidates_by_all_criteria_and_a_refused_one_last():
    first, second = np.array([[3.0, 2.0, 1.0]]), np.array([[np.nan, 5.0, 4.0]])
    found = room._ensemble({"a": first, "b": second})
    np.testing.assert_array_equal(found, [[-2.0, -1.5, -2.5]])


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    root = tmp_path_factory.mktemp("select") / "run"
    how = {**tiny.FAST, "steps": 9, "eval_every": 3, "seeds": 2, "select": "dev", "sweep": {"lam": [0.1, 1.0]}}
    domains = {domain.name: domain for domain in (tiny.SOURCE, tiny.TARGET)}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prepare, "load", lambda spec, data_dir: domains[spec])
        yield tl_jax.fit(tiny.SOURCE, tiny.TARGET, ["source_only", "mcc"], run_dir=str(root), **how)


def test_every_criterion_has_a_row_and_the_run_s_own_chooses_what_the_run_chose(run):
    table = room.select(run.run_dir, ())
    rows = {(row[0], row[1]): row for row in table.cells[1:]}
    assert {name for job, name in rows if job == "mcc"} >= {"im", "dev", "class_ami", "ensemble", "last"}
    for selector, row in (("selected", "dev"), ("last", "last"), ("oracle", "oracle (target labels)")):
        of = [r["selectors"][selector]["target/accuracy"] for r in run.records if r["method"] == "mcc"]
        assert rows["mcc", row][2].startswith(f"{np.mean(of):.3f}"), selector
    assert rows["source_only", "im"][5] == ""  # it has no value to choose
    assert rows["mcc", "im"][5]


def test_a_criterion_of_ones_own_judges_an_old_run(run, tmp_path):
    (tmp_path / "mine.py").write_text("def early(record):\n    return float(record.target.logits.std())\n")
    name = f"{tmp_path / 'mine.py'}:early"
    cells = room.select(run.run_dir, (name,)).cells
    assert [row[1] for row in cells[1:4]] == [name, "last", "oracle (target labels)"]


def test_what_is_no_run_or_was_not_kept_is_said(run, tmp_path):
    with pytest.raises(UserError, match="not a run directory"):
        room.select(tmp_path, ())
    with pytest.raises(UserError, match="Did you mean 'entropy'"):
        room.select(run.run_dir, ("entrpy",))


def test_a_run_that_kept_nothing_for_criteria_to_read_is_said(run, monkeypatch):
    whole = room.records.of_trial
    monkeypatch.setattr(room.records, "of_trial", lambda arrays, i: whole(arrays, i)._replace(target=None))
    with pytest.raises(UserError, match="--select=target_val keeps none"):
        room.select(run.run_dir, ())


def test_a_criterion_of_classes_says_nothing_of_values():
    by = room.Scoring("r2", None, None, {"source_val": lambda record: 0.0})  # pyright: ignore[reportArgumentType]
    with pytest.raises(UserError, match="selection criterion of values"):
        room._criterion("im", True, by)
    assert room._criterion("source_val", True, by) is by.criteria["source_val"]


def test_mixtures_are_predicted_by_the_trial_whose_predictions_say_what_is_mixed(tmp_path):
    how = {**tiny.FAST, "steps": 6, "eval_every": 6, "seeds": 2, "select": "mixval(inter=1.0)"}
    run = tl_jax.fit(tiny.SOURCE, tiny.TARGET, "source_only", run_dir=str(tmp_path / "run"), **how)
    kept = tiny.records(tmp_path / "run")
    at = lambda part: next(a for name, a in kept.items() if "00000006" in name and name.endswith(f"target/{part}"))
    x = tiny.TARGET.train.x
    model = tl_jax.load(run.run_dir, seed=1, source=tiny.SOURCE, target=tiny.TARGET)
    found = mixtures.partners(at("logits")[1].argmax(1))
    assert not np.array_equal(found.inter, mixtures.partners(at("logits")[0].argmax(1)).inter)
    for part, other in found._asdict().items():
        np.testing.assert_allclose(
            model.probabilities(0.55 * x + 0.45 * x[other]), softmax(at(part)[1], axis=1), atol=1e-5
        )
    score = (at("inter")[1].argmax(1) == at("logits")[1].argmax(1)).mean()
    assert run.records[1]["selectors"]["selected"]["score"] == pytest.approx(score)


def test_where_there_is_nothing_to_mix_the_criterion_is_refused():
    config, cached = Config(select="mixval"), SimpleNamespace(name="probe", strategy=SimpleNamespace(cached=True))
    problem = Problem((tiny.SOURCE,), tiny.TARGET)
    plan._check_mixtures(config, problem, [])
    text = SimpleNamespace(name="said", modality="text")
    for of, jobs, why in (
        (problem, [cached], "probe sees the features of every example"),
        (problem._replace(unseen=True), [], "far is met in the test alone"),
        (problem._replace(target=text), [], "said holds text"),
    ):
        with pytest.raises(UserError, match=f"mixval mixes inputs of the target, and {why}"):
            plan._check_mixtures(config, of, jobs)
