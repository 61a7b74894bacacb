"""Runs whose labels are values: trained in the units of what is labelled, judged in the labels' own."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from tiny import FAST, records

import tl_jax
from tl_jax import Domain, Examples
from tl_jax.core.errors import UserError
from tl_jax.methods import METHODS
from tl_jax.programs.trained.export import Choice, export
from tl_jax.run.plan import prepare
from tl_jax.run.plan.problem import Problem, units

SETTINGS = {**FAST, "seeds": 2, "devices": 1, "trials": "map"}


def domain(name: str, shift: float) -> Domain:
    """Values about 40 of a line in eight dimensions, moved by `shift`."""
    slope = np.random.default_rng(0).normal(size=8)

    def split(n: int, seed: int) -> Examples:
        rng = np.random.default_rng(seed)
        x = rng.normal(size=(n, 8))
        return Examples((x + shift).astype(np.float32), (40 + 5 * np.tanh(x @ slope)).astype(np.float32))

    seed = int(shift * 10)
    return Domain(name, (), split(60, seed), split(21, seed + 1), split(33, seed + 2))


SOURCE, OTHER, TARGET = domain("near", 0.0), domain("beside", 0.5), domain("far", 1.0)


def noise(part: Examples) -> Examples:
    return Examples(part.x, np.random.default_rng(5).normal(40, 5, len(part.y)).astype(np.float32))


@pytest.fixture(scope="module")
def adapted(tmp_path_factory):
    root = tmp_path_factory.mktemp("values")
    methods = ["source_only", "dann", "target_only"]
    return root, tl_jax.fit([SOURCE, OTHER], TARGET, methods, run_dir=str(root), **{**SETTINGS, "pictures": True})


def test_scores_are_of_values_in_the_labels_units(adapted):
    root, result = adapted
    outputs = records(root)["dann/00000024.npz/target_test/logits"][1, :, 0].astype(float)
    y = np.concatenate([SOURCE.train.y, OTHER.train.y]).astype(float)
    found = y.mean() + y.std() * outputs
    (last,) = (r["selectors"]["last"] for r in result.records if r["method"] == "dann" and r["seed"] == 1)
    errors = found - TARGET.test.y
    np.testing.assert_allclose(last["target/rmse"], np.sqrt(np.square(errors).mean()), rtol=1e-5)
    np.testing.assert_allclose(last["target/mae"], np.abs(errors).mean(), rtol=1e-5)
    np.testing.assert_allclose(last["target/r2"], 1 - np.square(errors).mean() / TARGET.test.y.var(), rtol=1e-4)
    bound = next(r["selectors"]["last"] for r in result.records if r["method"] == "target_only")
    assert bound["target/r2"] > max(0.3, bound["source/r2"])  # it has learnt something


def test_the_table_has_errors_beside_r2_and_says_what_chose(adapted):
    root, result = adapted
    head = result.table.splitlines()[0]
    assert "selected (source_val)" in head
    assert "RMSE" in head
    assert "MAE" in head
    assert "R2 on the target's test split" in result.table
    for picture in ("curves.png", "samples.png", "embedding.png"):
        assert (root / picture).stat().st_size > 1000


def test_labels_of_the_target_reach_no_method_but_the_bound(adapted, tmp_path):
    root, _ = adapted
    noisy = dataclasses.replace(TARGET, **{n: noise(part) for n, part in TARGET.splits.items()})
    tl_jax.fit([SOURCE, OTHER], noisy, ["dann", "target_only"], run_dir=str(tmp_path), **SETTINGS)
    name = "{}/00000024.npz/target_test/logits"
    before, after = records(root), records(tmp_path)
    np.testing.assert_array_equal(before[name.format("dann")], after[name.format("dann")])
    assert (before[name.format("target_only")] != after[name.format("target_only")]).any()


def test_the_units_of_fine_tuning_are_those_of_the_validation_split():
    problem = Problem((SOURCE,), TARGET).of_target()
    assert problem.units == units([TARGET.validation.y])
    data = problem.training(METHODS["fine_tune"]())
    center, scale = problem.units
    np.testing.assert_allclose(np.asarray(data.sources[-1][1]) * scale + center, TARGET.train.y, rtol=1e-5)


@pytest.mark.slow  # a run of its own for a split that tests/data checks
def test_a_share_of_the_values_is_labelled(tmp_path):
    result = tl_jax.fit(
        SOURCE,
        TARGET,
        kind="inductive",
        strategies=["scratch", "full"],
        label_fraction=[0.2, 1.0],
        run_dir=str(tmp_path),
        **{**SETTINGS, "pictures": True},
    )
    assert len(result.records) == 2 * 2 * 2
    assert "R2" in result.table
    assert (tmp_path / "labels.png").exists()
    scores = {(r["method"], r["values"]["label_fraction"]): r["selectors"]["last"] for r in result.records}
    assert scores["full", 1.0]["target/r2"] > 0.3
    assert all({"target/rmse", "target/mae"} <= set(last) for last in scores.values())


@pytest.mark.parametrize("job", ["dann", "adabn"])
def test_an_exported_program_gives_values_in_the_labels_units(tmp_path, monkeypatch, job):
    domains = {"near": SOURCE, "far": TARGET}
    monkeypatch.setattr(prepare, "load", lambda spec, data_dir: domains[spec])
    result = tl_jax.fit(SOURCE, TARGET, job, run_dir=str(tmp_path / "run"), **SETTINGS)
    export(result.run_dir, Choice(job, 1), tmp_path / "out")
    program = jax.export.deserialize(bytearray((tmp_path / "out" / "model.stablehlo").read_bytes()))
    errors = np.asarray(program.call(TARGET.test.x))[:, 0] - TARGET.test.y
    np.testing.assert_allclose(
        np.sqrt(np.square(errors).mean()), result.records[1]["selectors"]["last"]["target/rmse"], rtol=1e-4
    )
    units = json.loads((tmp_path / "out" / "model.json").read_text())["units"]
    np.testing.assert_allclose(
        [units["center"], units["scale"]], [SOURCE.train.y.mean(), SOURCE.train.y.std()], rtol=1e-5
    )


CLASSES = tl_jax.Domain(
    "classed", ("a", "b"), *(Examples(p.x, (p.y > 40).astype(np.int32)) for p in TARGET.splits.values())
)
FLAT = dataclasses.replace(SOURCE, name="flat", validation=Examples(SOURCE.validation.x, np.full(21, 7, np.float32)))
MISTAKES = {
    "a method of classes": ({"methods": ["dann", "mcc"]}, ["far has values", "mcc needs classes", "dare_gram"]),
    "a criterion of classes": ({"select": "im"}, ["whose labels are values", "'im'", "source_val"]),
    "labels of each class": ({"labels_per_class": [1]}, ["--labels_per_class needs classes", "--label_fraction"]),
    "even classes": ({"balanced": True}, ["--balanced needs classes"]),
    "values against classes": ({"target": CLASSES}, ["near has values", "classed classes", "cannot be matched"]),
    "labels that are all equal": ({"source": FLAT}, ["flat: every label of the validation split is 7"]),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_what_needs_classes_says_so_and_writes_nothing(mistake, tmp_path):
    change, expected = MISTAKES[mistake]
    settings = {"source": SOURCE, "target": TARGET, "methods": "dann", **SETTINGS, **change}
    with pytest.raises(UserError) as caught:
        tl_jax.fit(run_dir=str(tmp_path / "run"), **settings)
    for part in expected:
        assert part in str(caught.value)
    assert not (tmp_path / "run").exists()
