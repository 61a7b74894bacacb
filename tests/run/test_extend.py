"""More of a finished run: what it has trained is taken over to the bit, and not trained again."""

import dataclasses
import json
import shutil

import pytest
from tiny import FAST, SOURCE, TARGET, assert_equal_runs

import tl_jax
from tl_jax.core.errors import UserError
from tl_jax.run import attempt

HOW = {**FAST, "steps": 12, "devices": 1, "trials": "map"}


def fit(root, methods=("mcc",), **more):
    return tl_jax.fit(SOURCE, TARGET, list(methods), run_dir=str(root), **{**HOW, "seeds": 2, **more})


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    return fit(tmp_path_factory.mktemp("extend") / "run", sweep={"lam": [0.1, 1.0]}).run_dir


@pytest.fixture
def trained(monkeypatch):
    """The (job, seeds) that are trained from here on."""
    found, run_job = [], attempt.run_job

    def noted(work, model=None):
        found.append((work.job.name, [seed for seed, _ in work.job.trials], work.directory.root.name))
        return run_job(work, model)

    monkeypatch.setattr(attempt, "run_job", noted)
    return found


def test_more_seeds_and_values_are_as_if_trained_at_once(begun, trained, tmp_path):
    more = {"seeds": 3, "sweep": {"lam": [0.1, 0.5, 1.0]}}
    whole = fit(tmp_path / "whole", **more)
    trained.clear()
    grown = fit(tmp_path / "grown", **more, extend=str(begun))
    assert grown.records == whole.records
    assert_equal_runs(grown.run_dir, whole.run_dir)
    # Of three seeds and three values seed 2, and every seed of the new value; then all is there.
    assert [seeds for _, seeds, place in trained if place == "more"] == [[2, 0, 1, 2, 2]]
    assert not (grown.run_dir / "more").exists()
    model = tl_jax.load(grown.run_dir, "mcc", 1, values={"lam": 0.1}, source=SOURCE, target=TARGET)
    same = tl_jax.load(begun, "mcc", 1, values={"lam": 0.1}, source=SOURCE, target=TARGET)
    assert (model.probabilities(TARGET.test.x) == same.probabilities(TARGET.test.x)).all()


def test_another_criterion_trains_nothing(begun, trained, tmp_path):
    again = fit(tmp_path / "again", sweep={"lam": [0.1, 1.0]}, select="entropy", extend=str(begun))
    assert not trained
    assert {r["selectors"]["selected"]["criterion"] for r in again.records} == {"entropy"}
    before = json.loads((begun / "results.json").read_text())
    assert [r["selectors"]["last"] for r in again.records] == [r["selectors"]["last"] for r in before]
    for name in ("metrics.jsonl", "records/mcc/manifest.jsonl"):
        assert (again.run_dir / name).read_bytes() == (begun / name).read_bytes()
    shutil.rmtree(tmp_path / "again" / "records" / "mcc")  # what is lost of it is taken over again
    (tmp_path / "again" / "finished.json").unlink()
    assert fit(tmp_path / "again", sweep={"lam": [0.1, 1.0]}, select="entropy", extend=str(begun)).complete
    assert not trained


def test_a_method_beside_it_is_what_is_trained(begun, tmp_path, monkeypatch):
    asked = []

    def stopped(work, model=None):
        asked.append(work.job.name)
        raise attempt.StoppedError("at once")

    monkeypatch.setattr(attempt, "run_job", stopped)
    more = fit(tmp_path / "more", ("source_only", "mcc"), sweep={"lam": [0.1, 1.0]}, extend=str(begun))
    assert (asked, more.complete) == (["source_only"], False)
    assert "mcc" in {line.split()[0] for line in more.table.splitlines() if line}


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({"lr": 0.5}, r"made with lr=0.01 \(now 0.5\): its numbers are of another run. What may differ: methods"),
        ({"seeds": [1, 2]}, "its seeds begin with 0"),
        ({"select": "dev"}, "made with --select=im and keeps no features"),
        ({"extend": "nowhere"}, "nowhere is not a run directory"),
        ({"target": dataclasses.replace(TARGET, train=TARGET.test)}, "other contents than there are now: the examples"),
    ],
)
def test_what_cannot_be_taken_over_is_named_before_anything_is_written(begun, tmp_path, asked, message):
    asked = {"extend": str(begun), **asked}
    target = asked.pop("target", TARGET)
    with pytest.raises(UserError, match=message):
        tl_jax.fit(SOURCE, target, "mcc", run_dir=str(tmp_path / "new"), **{**HOW, "seeds": 2, **asked})
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"seeds": 3}, "--extend={run}"),
        ({"methods": ("mcc", "dann")}, "--extend={run}"),
        ({"select": "entropy"}, "--extend={run}"),
        ({"steps": 20}, "--steps=8 --init_from='{run}?job=mcc'"),
        ({"lr": 0.5}, "each configuration then gets its own."),
    ],
)
def test_a_finished_run_asked_for_more_says_what_to_type(begun, changed, says):
    with pytest.raises(UserError) as caught:
        fit(begun, **{"sweep": {"lam": [0.1, 1.0]}, **changed})
    assert says.format(run=begun) in str(caught.value)


@pytest.mark.slow  # hidden jobs and features that are computed once: of every sort one
@pytest.mark.parametrize("kind", ["shot", "inductive"])
def test_what_a_job_begins_from_is_taken_over_too(kind, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    few = {**HOW, "steps": 6, "eval_every": 3}

    def run(name, seeds, **more):
        how = {**few, "seeds": seeds, "run_dir": str(tmp_path / name), **more}
        if kind == "shot":
            return tl_jax.fit(SOURCE, TARGET, "shot", **how)
        how |= {"kind": kind, "labels_per_class": [2, 5], "pretrain_steps": 6}
        return tl_jax.fit(SOURCE, TARGET, "fine_tune", strategies=["linear_probe", "full"], **how)

    run("begun", 2)
    whole, grown = run("whole", 4), run("grown", 4, extend=str(tmp_path / "begun"))
    assert grown.records == whole.records
    assert_equal_runs(grown.run_dir, whole.run_dir)
