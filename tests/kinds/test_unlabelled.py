"""Targets whose labels nobody knows, or only some of: what runs, what is written, what is said."""

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from tiny import FAST, SOURCE, TARGET, domain

import tl_jax
from tl_jax.core.errors import UserError
from tl_jax.data.check import domain as check
from tl_jax.data.check.pair import pair
from tl_jax.data.domain import Domain, Examples
from tl_jax.data.match.match import matched
from tl_jax.evaluation.protocols import Sets, near
from tl_jax.kinds.multitask.tasks import task_problem
from tl_jax.kinds.predicting.predictions import plain
from tl_jax.kinds.predicting.scoring import scoring
from tl_jax.kinds.table import prepare
from tl_jax.kinds.unsupervised.kind import DEFAULTS as UNSUPERVISED
from tl_jax.methods.source_only import source_only
from tl_jax.methods.target_only import target_only
from tl_jax.programs.few_shot import everything, split_classes
from tl_jax.programs.rank import labelled
from tl_jax.run.plan.problem import Problem, check_batches, describe, units
from tl_jax.run.plan.types import Options
from tl_jax.run.settings.config import Config

QUICK = {**FAST, "steps": 6, "eval_every": 3, "seeds": 1, "devices": 1, "trials": "map"}
NAMES = np.array(["=cmd.png", 'a,"b".png', "two\nlines.png", *(f"{i}.png" for i in range(57))])
BARE = Domain(
    "bare", (), *(Examples(part.x) for part in TARGET.splits.values()), ids={"train": NAMES}, modality="vector"
)


def partly(one: Domain, name: str = "", rows: slice = slice(0, None, 2)) -> Domain:
    """Every second label unknown."""
    parts = {}
    for split, part in one.splits.items():
        y = part.y.copy()
        y[rows] = np.nan if np.issubdtype(y.dtype, np.floating) else -1
        parts[split] = part._replace(y=y)
    return dataclasses.replace(one, name=name or one.name, **parts)


def valued(one: Domain) -> Domain:
    """The sum of the features as a value."""
    parts = {s: part._replace(y=part.x.sum(1).astype(np.float32)) for s, part in one.splits.items()}
    return dataclasses.replace(one, classes=(), **parts)


NOT_VALIDATED = dataclasses.replace(TARGET, validation=partly(TARGET, "", slice(None)).validation)


def config(methods: tuple[str, ...] = Config.methods, **change) -> Config:
    fast = {name: value for name, value in FAST.items() if name not in ("quiet", "pictures")}
    return Config(source=("s",), target="t", methods=methods, **{**fast, **change})


def prepared(source: Domain, target: Domain, methods: tuple[str, ...] = Config.methods, **change):
    return prepare(config(methods, **change), Options(devices=1), {"s": source, "t": target})


@pytest.fixture(scope="module")
def bare(tmp_path_factory) -> tuple[tl_jax.Result, Path]:
    root = tmp_path_factory.mktemp("bare") / "run"
    return tl_jax.fit(
        SOURCE, BARE, ["source_only", "mcc"], run_dir=str(root), sweep={"lam": [0.5]}, **{**QUICK, "pictures": True}
    ), root


def test_a_target_without_labels_runs_and_says_that_nothing_is_scored(bare):
    result, root = bare
    assert result.complete
    assert "near -> bare: no target labels: nothing to score." in result.table
    assert "NEGATIVE" not in result.table
    assert "source accuracy: last" in result.table
    assert "im: selected" in result.table
    assert json.loads((root / "results.json").read_text()) == result.records
    selectors = result.records[0]["selectors"]
    assert set(selectors) == {"last", "selected"}
    assert set(selectors["last"]) == {"step", "source/accuracy", "score"}
    line = json.loads((root / "metrics.jsonl").read_text().splitlines()[0])
    assert {name for name in line if "/" in name} == {
        f"label_free/{c}" for c in ("source_val", "entropy", "im", "snd", "bnm", "mano")
    }
    assert {"curves.png", "samples.png", "embedding.png"} <= {path.name for path in root.iterdir()}


def test_predictions_are_of_every_example_by_its_name(bare):
    _, root = bare
    with (root / "predictions.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == ["method", "seed", "lam", "step", "split", "example", "class", "probability"]
    assert len(rows) == 2 * sum(len(part.y) for part in BARE.splits.values())
    assert [row["example"] for row in rows[:4]] == ["'=cmd.png", 'a,"b".png', "two\nlines.png", "0.png"]
    ours = [row for row in rows if row["method"] == "mcc" and row["split"] == "test"]
    assert [row["example"] for row in ours] == [str(i) for i in range(33)]
    assert {(row["lam"], row["step"], row["seed"]) for row in ours} == {("0.5", "6", "0")}
    (logits,) = np.load(root / "records" / "mcc" / "00000006.npz")["target_test/logits"]
    assert [row["class"] for row in ours] == [SOURCE.classes[c] for c in logits.argmax(1)]
    likely = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose([float(row["probability"]) for row in ours], likely.max(1), atol=1e-5)


def test_predictions_that_were_removed_are_written_again(bare):
    _, root = bare
    before = (root / "predictions.csv").read_bytes()
    (root / "predictions.csv").unlink()
    tl_jax.fit(SOURCE, BARE, ["source_only", "mcc"], run_dir=str(root), sweep={"lam": [0.5]}, **QUICK)
    assert (root / "predictions.csv").read_bytes() == before


@pytest.mark.parametrize(("name", "shown"), [("+1", "+1"), ("-x", "'-x"), ("@a", "'@a"), ("a=b", "a=b"), (3, "3")])
def test_no_name_is_a_formula(name, shown):
    assert plain(name) == shown


def test_a_target_without_labels_takes_the_classes_of_the_source():
    _, target = matched([SOURCE], BARE)
    assert target.classes == SOURCE.classes
    assert (target.train.y == -1).all()
    assert target.ids is BARE.ids
    _, target = matched([valued(SOURCE)], BARE)
    assert target.values
    assert np.isnan(target.test.y).all()
    both = Domain("both", (), *BARE.splits.values())
    (_, second), _ = matched([SOURCE, both], TARGET)
    assert second.classes == SOURCE.classes


def test_unknown_stays_unknown_under_other_numbers():
    other = domain("other", 1.0, ("c", "x", "a", "b"), 80)
    for space, target in (
        ("open", partly(other)),
        ("closed", dataclasses.replace(partly(TARGET), classes=("c", "a", "b"))),
    ):
        _, ready = matched([SOURCE], target, label_space=space)
        np.testing.assert_array_equal(ready.train.y == -1, target.train.y == -1)
        for before, after in zip(target.train.y, ready.train.y, strict=True):
            name = target.classes[before]
            assert before == -1 or after == (SOURCE.classes.index(name) if name in SOURCE.classes else 3)


def test_labels_of_a_part_are_what_is_drawn_scored_and_counted():
    target = partly(TARGET)
    problem = Problem((partly(SOURCE),), target)
    for method in (source_only(), target_only()):
        np.testing.assert_array_equal(problem.training(method).list_of(0), np.arange(1, 60, 2))
    even = problem.training(source_only(), even=True).list_of(0)
    assert even is not None
    assert (problem.sources[0].train.y[even] >= 0).all()
    by, logits = scoring(problem), np.eye(3)[TARGET.test.y]
    assert by.of(logits, target.test.y) == 1.0
    assert by.every(logits, target.test.y)["n"] == 16
    assert by.every(logits, np.full(33, -1)) == {}
    assert by.of(logits, np.full(33, -1)) is None
    assert "n" not in by.every(logits, TARGET.test.y)
    assert "3 classes, 58 of 114 labels unknown" in describe([target])
    with pytest.raises(UserError, match="Source near has 30 training examples with a known label"):
        check_batches(problem, (31, 31), source_only())


def test_values_of_a_part_are_scored_in_their_own_units():
    source, target = valued(SOURCE), partly(valued(TARGET))
    assert units([partly(source).train.y]) == units([source.train.y[1::2]])
    by = scoring(Problem((source,), target, units=(0.0, 1.0)))
    found = by.every(valued(TARGET).test.y[:, None], target.test.y)
    assert (found["r2"], found["n"]) == (1.0, 16)
    alone = np.where(np.arange(33) == 4, 1.0, np.nan)
    assert set(by.every(np.zeros((33, 1)), alone)) == {"rmse", "mae", "n"}  # of one value there is no R2
    _, other = matched([source], BARE)
    assert prepared(source, other, ("source_only",)).config.select == "source_val"


def test_only_classes_that_the_network_lacks_have_their_own_scores():
    by, logits = scoring(Problem((SOURCE,), TARGET)), np.zeros((4, 3))
    found = by.every(logits, np.array([3, -1, 3, -1]))
    assert found == {"unknown_recall": 1.0, "n": 2}
    assert by.of(logits, np.array([3, -1, 3, -1])) is None


def test_the_default_methods_leave_out_the_bound_that_cannot_be_computed():
    setup = prepared(SOURCE, BARE)
    assert "target_only" not in [task.job.name for task in setup.tasks]
    assert setup.notes == (
        "bare: no training example has a label: target_only left out, a bound that cannot be computed.",
    )
    assert prepared(SOURCE, partly(TARGET), ("target_only",)).notes == ()


@pytest.mark.parametrize(
    ("source", "target", "change", "message"),
    [
        (SOURCE, BARE, {"methods": ("mcc", "target_only")}, "target_only trains on them. Drop target_only"),
        (SOURCE, BARE, {"methods": ("mcc",), "labels_per_class": (2,)}, "--labels_per_class says how many .* Drop it"),
        (BARE, TARGET, {}, "bare: no training example has a label, and a source is what labels are learnt from"),
        (SOURCE, BARE, {"kind": "inductive", "strategies": ("full",)}, "full trains on them. Give some labels"),
        (
            SOURCE,
            NOT_VALIDATED,
            {"kind": "inductive", "strategies": ("full",), "select": "target_val"},
            "no validation example of far has a label",
        ),
        (
            dataclasses.replace(SOURCE, validation=partly(SOURCE, "", slice(None)).validation),
            BARE,
            {"select": "source_val"},
            "needs labels of a source's validation split",
        ),
    ],
)
def test_what_needs_labels_that_there_are_not_is_refused(source, target, change, message):
    with pytest.raises(UserError, match=message):
        prepared(source, target, **{"methods": ("fine_tune",) if "kind" in change else Config.methods, **change})


def test_few_labels_are_drawn_from_the_known_ones():
    target = partly(TARGET)
    (task,) = prepared(SOURCE, target, ("mcc",), labels_per_class=(2,)).tasks
    assert task.rows is not None
    assert (target.train.y[task.rows] >= 0).all()


def test_look_before_the_run_says_what_has_no_label():
    found = check.single(BARE)
    assert "no labels" in found.facts[0]
    assert found.facts[1] == "labels unknown: 60 of 60 train, 21 of 21 validation, 33 of 33 test"
    assert found.warnings == []
    assert pair(SOURCE, BARE).facts == ["classes: those of bare are unknown"]
    assert not any("classes" in line for line in pair(SOURCE, BARE).warnings)
    assert "is the source and has no labels" in pair(BARE, SOURCE).warnings[0]
    assert pair(SOURCE, partly(TARGET)).facts[-1].startswith("class proportions differ by")


def test_other_kinds_leave_out_what_has_no_label():
    target = partly(TARGET)
    assert len(everything(target)[1]) == 56
    four = partly(domain("four", 0.0, ("a", "b", "c", "d"), 80))
    for half in split_classes([four, four], 2):
        assert (half.train.y >= 0).all()
        assert len(half.train.y) == 20
    assert len(labelled(target, 0, 0).y) == 30
    assert (labelled(target, 3, 0).y >= 0).all()
    with pytest.raises(UserError, match="bare: no training example has a label"):
        labelled(BARE, 0, 0)
    with pytest.raises(UserError, match="bare: no training example has a label"):
        task_problem([BARE])
    assert np.isnan(task_problem([target]).sources[0].train.y[::2]).all()


def test_representations_are_judged_by_known_labels():
    x = np.eye(4, dtype=np.float32)[[0, 0, 1, 1]]
    y = np.array([0, -1, 1, -1])
    assert near((x, y), (x, np.array([0, 0, 1, 1]))) == near((x[::2], y[::2]), (x, np.array([0, 0, 1, 1])))
    assert near((x, np.full(4, -1)), (x, y)) is None
    assert Sets._fields == ("gallery", "train", "queries")
    setup = prepare(
        dataclasses.replace(UNSUPERVISED, source=("s",), target="t", network=FAST["network"], view="weak"),
        Options(devices=1),
        {"s": BARE, "t": dataclasses.replace(BARE, name="second")},
    )
    assert setup.problem.target.classes == ()
