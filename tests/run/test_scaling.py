"""Standardised features: on whose examples, for which method; and the rows of a table that need no network."""

import dataclasses
import json

import jax.numpy as jnp
import numpy as np
import pytest
from tiny import NETWORK, domain

from tl_jax.core.errors import UserError
from tl_jax.data.domain import changed
from tl_jax.kinds.predicting import table as report
from tl_jax.kinds.table import prepare
from tl_jax.kinds.transductive import baselines
from tl_jax.kinds.transductive.reading import READING
from tl_jax.programs.trained.program import standardised
from tl_jax.run.plan.problem import Problem
from tl_jax.run.plan.scaling import chosen
from tl_jax.run.plan.types import Options
from tl_jax.run.settings.config import Config
from tl_jax.shallow import SHALLOW

UNITS = np.array([1e-3, 1, 1, 1e4, 1, 1, 1, 1], np.float32)


def in_units(one):
    return changed(one, **{name: part._replace(x=part.x * UNITS) for name, part in one.splits.items()})


DOMAINS = {"near": in_units(domain("near", 0.0)), "far": in_units(domain("far", 1.0))}
BY = (READING, "accuracy")
CONFIG = Config(source=("near",), target="far", network=NETWORK, methods=("source_only", "mcc"), batch_size=16)


def set_up(**fields):
    return prepare(dataclasses.replace(CONFIG, **fields), Options(devices=1), DOMAINS)


def of_target(setup) -> dict[str, np.ndarray]:
    return {task.job.name: task.problem.target.train.x.mean(0) for task in setup.tasks}


def test_each_domain_is_brought_to_its_own_scale_for_methods_that_see_it():
    setup = set_up()
    assert setup.config.standardise == "per_domain"
    np.testing.assert_allclose(of_target(setup)["mcc"], 0, atol=1e-3)
    assert np.abs(of_target(setup)["source_only"]).max() > 0.05  # which does not see the target: the source's scale
    np.testing.assert_allclose(setup.tasks[1].problem.sources[0].train.x.std(0), 1, atol=1e-3)
    assert "in each domain by its own training examples" in report.footnote(setup.config, BY)


def test_by_the_source_the_target_keeps_what_it_differs_by():
    means = of_target(set_up(standardise="source"))
    assert np.abs(means["mcc"][3]) > 0.05
    np.testing.assert_array_equal(means["mcc"], means["source_only"])


def test_none_leaves_the_features_as_they_are():
    setup = set_up(standardise="none")
    assert setup.tasks[0].problem.target is setup.problem.target
    assert setup.tasks[0].problem.scale is None


def test_weights_of_a_file_get_features_as_they_were_unless_it_says_that_they_were_standardised(tmp_path):
    problem = set_up(standardise="none").problem
    config = dataclasses.replace(CONFIG, init_from=str(tmp_path / "weights.safetensors"))
    assert chosen(config, problem).standardise == "none"
    (tmp_path / "model.json").write_text(json.dumps({"standardise": {"center": [0.0], "spread": [1.0]}}))
    assert chosen(config, problem).standardise == "source"
    assert chosen(dataclasses.replace(config, standardise="none"), problem).standardise == "none"


def test_an_exported_program_takes_features_as_they_are():
    problem = set_up().tasks[1].problem
    assert problem.scale is not None
    np.testing.assert_allclose(
        standardised(jnp.asarray(DOMAINS["far"].test.x), problem.scale), problem.target.test.x, rtol=1e-5, atol=1e-5
    )


def test_of_images_there_is_nothing_to_standardise():
    images = changed(DOMAINS["far"], modality="image")
    problem = set_up().problem._replace(target=images)
    assert chosen(CONFIG, problem).standardise == "none"
    with pytest.raises(UserError, match="--standardise=source is of vector and series; far holds image"):
        chosen(dataclasses.replace(CONFIG, standardise="source"), problem)


def test_baselines_are_rows_and_records_and_the_same_again():
    setup = set_up()
    found = baselines.records(setup)
    assert [record["method"] for record in found] == ["majority", "nearest_neighbour", "logistic_regression", *SHALLOW]
    scores = {record["method"]: record["selectors"]["last"]["target/accuracy"] for record in found}
    assert scores["majority"] == pytest.approx(1 / 3)
    assert min(scores["nearest_neighbour"], scores["logistic_regression"]) > 0.5
    assert json.loads(json.dumps(found)) == found == baselines.records(setup)
    table = baselines.beneath(setup, report.table(setup.config, [], {}, BY), found)
    assert table.cells[1][:4] == ["majority", "0.333", "-", "-"]
    assert "most frequent class" in table.cells[1][-1]


def test_baselines_are_fitted_once_for_runs_that_differ_in_training_alone(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    fitted, models = [], baselines._models
    monkeypatch.setattr(baselines, "_models", lambda *of: fitted.append(of) or models(*of))
    first = baselines.records(set_up())
    assert baselines.records(set_up(lr=0.1, methods=("mcc",), seeds=(7,), steps=50)) == first
    assert len(fitted) == 1
    assert baselines.records(set_up(standardise="none")) != first
    other = changed(DOMAINS["near"], train=DOMAINS["near"].train._replace(y=DOMAINS["near"].train.y[::-1].copy()))
    setup = set_up()
    assert baselines.records(setup._replace(problem=setup.problem._replace(sources=(other,)))) != first
    assert len(fitted) == 3
    for path in tmp_path.rglob("*.json"):
        path.write_text("{")
    assert baselines.records(set_up()) == first  # what is damaged is fitted again


def test_baselines_of_texts_are_of_their_counts():
    rng = np.random.default_rng(0)

    def texts(part):
        word = np.where(rng.random((len(part.y), 6)) < 0.7, 1 + part.y[:, None], rng.integers(1, 9, (len(part.y), 6)))
        return part._replace(x=word.astype(np.int32))

    ids = [
        changed(one, modality="text", **{name: texts(part) for name, part in one.splits.items()})
        for one in DOMAINS.values()
    ]
    setup = set_up()
    problem = setup.problem._replace(sources=(ids[0],), target=ids[1])
    config = dataclasses.replace(setup.config, standardise="none")
    found = baselines.records(setup._replace(problem=problem, config=config))
    assert found[-1]["selectors"]["last"]["target/accuracy"] > 0.8


def test_baselines_of_values_are_a_mean_neighbours_and_ridge():
    setup = set_up()
    values = [
        changed(one, classes=(), **{n: part._replace(y=part.x[:, 1]) for n, part in one.splits.items()})
        for one in DOMAINS.values()
    ]
    problem = setup.problem._replace(sources=(values[0],), target=values[1])
    found = baselines.records(setup._replace(problem=problem))
    assert [record["method"] for record in found] == ["mean", "nearest_neighbours", "ridge"]
    assert found[-1]["selectors"]["last"]["target/r2"] > 0.9


def test_large_sets_are_drawn_evenly_and_the_row_says_so(monkeypatch):
    monkeypatch.setattr(baselines, "ROWS", 20)
    found = baselines.records(set_up())
    assert {record["baseline"] for record in found} == {"on 20 of 60 training examples"}


def test_rows_that_are_drawn_are_of_every_source_and_class_and_keep_their_labels(monkeypatch):
    monkeypatch.setattr(baselines, "ROWS", 24)
    one, other = domain("near", 0.0), domain("second", 3.0)
    x, y, share = baselines._training(Problem((one, other), one))
    assert share == "on 24 of 120 training examples"
    assert len(set(y.tolist())) == 3
    rows = [(a, b) for d in (one, other) for a, b in zip(d.train.x, d.train.y, strict=True)]
    origin = [next(i for i, (a, b) in enumerate(rows) if np.array_equal(a, x[k]) and b == y[k]) for k in range(24)]
    assert len(set(origin)) == 24
    assert min(origin) < 60 <= max(origin)
