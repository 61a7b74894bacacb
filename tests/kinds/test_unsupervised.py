"""Unsupervised transfer: no label reaches a feature, the numbers are those of the features, the trunk is of use."""

import dataclasses
import json

import jax
import numpy as np
import pytest
from tiny import FAST, SOURCE, TARGET

import tl_jax
from tl_jax import Domain, Examples
from tl_jax.core.batching import some
from tl_jax.core.errors import UserError
from tl_jax.core.trees import flatten
from tl_jax.kinds.unsupervised.observe import MOST
from tl_jax.models.files.pretrained import load
from tl_jax.models.networks import NETWORKS, build
from tl_jax.run import loop
from tl_jax.run.store.names import slug

SETTINGS = {**FAST, "kind": "unsupervised", "devices": 1, "trials": "map", "steps": 12, "view": "strong"}
SETTINGS |= {"align": ["none", "coral"], "standardise": "none"}
METHODS = ["byol", "untrained", "pixels"]
NETWORK = NETWORKS["mlp"](bottleneck=8, hidden=(16,))


def pretrain(run_dir, source=SOURCE, target=TARGET, methods=METHODS, **change):
    return tl_jax.fit(source, target, methods, run_dir=str(run_dir), **{**SETTINGS, "seeds": 2, **change})


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    return pretrain(tmp_path_factory.mktemp("unsupervised") / "run", pictures=True)


def stored(result, job, step=12):
    with np.load(result.run_dir / "records" / slug(job) / f"{step:08d}.npz") as file:
        return dict(file)


def test_every_method_is_judged_with_and_without_alignment_and_baselines_once(finished):
    found = [(r["method"], r["seed"], r["selectors"]["last"]["step"]) for r in finished.records]
    trained = ["byol", "byol + coral"]
    steps = {**dict.fromkeys(trained, 12), "untrained": 1, "pixels": 1}
    assert found == [(name, seed, step) for name, step in steps.items() for seed in (0, 1)]
    for record in finished.records:
        values = record["selectors"]["last"]
        assert all(np.isfinite(value) for value in values.values())
        assert ("lam" in record["values"]) == ("coral" in record["method"])
    assert "kNN accuracy (k 20, T 0.07)" in finished.table
    for name in ("curves.png", "embedding.png"):
        assert (finished.run_dir / name).stat().st_size > 5000


def test_numbers_are_those_of_the_stored_features(finished):
    features = {name: x[1] for name, x in stored(finished, "byol + coral").items()}
    unit = {name: x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12) for name, x in features.items()}
    y_g, y_q = SOURCE.train.y[some(60, MOST)], TARGET.test.y[some(33, MOST)]
    nearest = (unit["queries"] @ unit["gallery"].T).argmax(1)
    (record,) = (r for r in finished.records if (r["method"], r["seed"]) == ("byol + coral", 1))
    want = (y_g[nearest] == y_q).mean()
    np.testing.assert_allclose(record["selectors"]["last"]["retrieval/recall@1"], want, atol=1e-6)


def test_pixels_are_the_examples_themselves(finished):
    features = stored(finished, "pixels", 1)
    np.testing.assert_array_equal(features["queries"][0], TARGET.test.x[some(33, MOST)])
    np.testing.assert_array_equal(features["gallery"][0], SOURCE.train.x[some(60, MOST)])


def with_noise(domain: Domain) -> Domain:
    """The same examples, every label drawn anew."""
    rng = np.random.default_rng(3)
    draw = lambda part: Examples(part.x, rng.permutation(part.y))
    return dataclasses.replace(domain, **{name: draw(part) for name, part in domain.splits.items()})


def test_other_labels_leave_every_feature_bit_equal(finished, tmp_path):
    noisy = pretrain(tmp_path / "run", with_noise(SOURCE), with_noise(TARGET), METHODS[:1])
    for path in (noisy.run_dir / "records").glob("*/0*.npz"):
        with np.load(path) as ours, np.load(finished.run_dir / path.relative_to(noisy.run_dir)) as theirs:
            assert set(ours) == set(theirs) >= {"gallery", "train", "queries"}
            for name in ours:
                np.testing.assert_array_equal(ours[name], theirs[name])
    score = lambda result: result.records[0]["selectors"]["last"]["target/knn_accuracy"]
    assert score(noisy) != score(finished)


@pytest.mark.parametrize("job", ["byol", "byol + coral"])
def test_the_trunk_is_loaded_by_a_network_of_other_classes(finished, job):
    network = build(NETWORK, 7)
    x = TARGET.test.x[some(33, MOST)]
    params, stats = network.init(jax.random.key(5), x[:2])
    drawn = flatten(params)
    params, stats, report = load(str(finished.run_dir / f"{slug(job)}.safetensors"), params, stats)
    assert not report.missing
    assert not report.unused
    assert set(report.reinitialised) == {path for path in drawn if path.startswith("head/")}
    features = network.apply(params, stats, x)[0].features
    np.testing.assert_allclose(features, stored(finished, job)["queries"][0], rtol=1e-4, atol=1e-5)


def test_the_teacher_is_kept_where_it_predicts(tmp_path):
    result = pretrain(tmp_path / "run", methods=["dino(prototypes=8)"], align=["none"], seeds=1)
    network, x = build(NETWORK, 3), TARGET.test.x[some(33, MOST)]
    params, stats = network.init(jax.random.key(5), x[:2])
    (path,) = result.run_dir.glob("*.safetensors")
    params, stats, _ = load(str(path), params, stats)
    (record,) = result.run_dir.glob("records/dino*/00000012.npz")
    with np.load(record) as file:
        np.testing.assert_allclose(
            network.apply(params, stats, x)[0].features, file["queries"][0], rtol=1e-4, atol=1e-5
        )


@pytest.mark.slow  # what tests/run asks of runs with labels
def test_stopped_and_run_again_gives_the_same_results(finished, tmp_path, monkeypatch):
    calls, keep = [0], loop._keep

    def stops(*args):
        calls[0] += 1
        if calls[0] == 3:
            raise KeyboardInterrupt
        return keep(*args)

    monkeypatch.setattr(loop, "_keep", stops)
    with pytest.raises(KeyboardInterrupt):
        pretrain(tmp_path / "run")
    again = pretrain(tmp_path / "run")
    assert again.records == finished.records
    assert json.loads((again.run_dir / "results.json").read_text()) == finished.records


def pictures(name: str, side: int = 8) -> Domain:
    rng = np.random.default_rng(len(name))
    part = lambda n: Examples(
        rng.integers(0, 256, (n, side, side, 3)).astype(np.uint8), np.arange(n, dtype=np.int32) % 3
    )
    return Domain(name, ("a", "b", "c"), part(24), part(6), part(9))


@pytest.mark.slow  # a run for one picture, whose parts tests/programs and tests/evaluation look at
def test_images_end_in_a_sheet_of_queries_and_what_was_found(tmp_path):
    result = pretrain(
        tmp_path / "run",
        pictures("one"),
        pictures("other"),
        ["rotation", "pixels"],
        align=["none"],
        seeds=1,
        steps=2,
        pictures=True,
    )
    assert (result.run_dir / "retrieval.png").stat().st_size > 5000


def test_pretraining_on_one_domain_does_not_see_the_other(tmp_path):
    other = dataclasses.replace(SOURCE, train=Examples(SOURCE.train.x + 1, SOURCE.train.y))
    settings = {"methods": ["vicreg"], "align": ["none"], "seeds": 1, "pretrain_on": "target"}
    one, two = (pretrain(tmp_path / name, source, **settings) for name, source in (("a", SOURCE), ("b", other)))
    one, two = (stored(result, "vicreg") for result in (one, two))
    np.testing.assert_array_equal(one["queries"], two["queries"])
    assert (one["gallery"] != two["gallery"]).any()


MISTAKES = {
    "a method that needs labels": ({"methods": "dann"}, ["Unknown method 'dann'", "simclr"]),
    "rotation of vectors": ({"methods": "rotation"}, ["rotation needs the view 'rotate90'", "near holds", "vector"]),
    "a view that vectors lack": ({"view": "distorted"}, ["the view 'distorted'", "weak, strong", "--view"]),
    "unknown alignment": ({"align": ["corral"]}, ["Unknown alignment 'corral'", "Did you mean 'coral'?"]),
    "unknown choice of domains": ({"pretrain_on": "all"}, ["--pretrain_on 'all'", "both"]),
    "one domain to align": ({"pretrain_on": "source"}, ["--align=coral needs both domains", "--align=none"]),
    "a plan for labelled sources": ({"forward_plan": "per_domain"}, ["--forward_plan=per_domain", "joint"]),
    "labels": ({"labels_per_class": [3]}, ["--labels_per_class says nothing to unsupervised transfer"]),
    "other shapes": (
        {"target": dataclasses.replace(TARGET, **{k: Examples(p.x[:, :5], p.y) for k, p in TARGET.splits.items()})},
        ["[5]", "[8]", "cannot be matched"],
    ),
    "regression": (
        {
            "source": dataclasses.replace(SOURCE, classes=()),
            "target": dataclasses.replace(TARGET, classes=()),
        },
        ["regression", "Use a domain with classes"],
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_gives_its_message_and_writes_nothing(mistake, tmp_path):
    change, expected = MISTAKES[mistake]
    with pytest.raises(UserError) as caught:
        pretrain(tmp_path / "run", **{"methods": "simclr", "seeds": 1, **change})
    for part in expected:
        assert part in str(caught.value)
    assert not (tmp_path / "run").exists()
