"""A head that begins as the names of its classes: what strategies begin from, and what is said of misuse."""

import dataclasses

import numpy as np
import pytest
from published_pair import published_pair

import tl_jax
from tl_jax import Domain, Examples
from tl_jax.core.errors import UserError
from tl_jax.kinds.table import KINDS, prepare
from tl_jax.models.zero_shot import class_features, opened
from tl_jax.programs import zero_shot
from tl_jax.run.execute.begin import from_file, head_of
from tl_jax.run.plan.types import Options

CLASSES = ("red", "blue", "a_b")


def shop(n=18):
    rng = np.random.default_rng(0)

    def split(n):
        y = np.arange(n) % 3
        return Examples(rng.integers(0, 256, (n, 8, 8, 3)).astype(np.uint8), y)

    return Domain("shop", CLASSES, split(n), split(9), split(12))


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return str(published_pair(tmp_path_factory.mktemp("pair")))


def planned(place, prompt="a photo of {}|{} h", target=None, **settings):
    network = f"clip(from={place!r}, prompt={prompt!r})" if prompt else f"clip(from={place!r})"
    asked = {"network": network, "source": (), "target": "shop", "batch_size": 6, "steps": 1, "labels_per_class": (2,)}
    config = dataclasses.replace(KINDS["inductive"].defaults, **{**asked, **settings})
    return prepare(config, Options(devices=1), {"shop": target or shop()})


def test_strategies_begin_from_the_features_of_the_names(place):
    setup = planned(place, strategies=("full", "scratch", "zero_shot"), methods=("wise_ft",))
    kernel = class_features(opened("clip", place), ["a photo of {}", "{} h"], CLASSES).T
    full, scratch, zero = setup.tasks
    params, _ = from_file(full, setup.weights)
    np.testing.assert_allclose(params["head/kernel"][0], kernel, atol=1e-6)
    np.testing.assert_allclose(params["head/scale"], np.exp(2.0), rtol=1e-5)
    assert full.new == ()
    assert from_file(scratch, setup.weights) is None
    head, _ = head_of(zero, from_file(zero, setup.weights))
    assert head.keys() == {"head/kernel", "head/scale"}
    assert not any(path.startswith("head") for path in setup.weights.report.reinitialised)
    assert "names of 3 classes" in str(setup.weights.report)


def test_without_a_prompt_the_head_is_new(place):
    setup = planned(place, "", strategies=("full",))
    assert set(setup.tasks[0].new) == {"head/kernel", "head/bias"}
    with pytest.raises(UserError, match=r"tip_adapter begins from the names of the classes.*prompt="):
        planned(place, "", strategies=("tip_adapter",))


def test_what_makes_no_head_of_names_is_said(place):
    with pytest.raises(UserError, match=r"has no \{\}"):
        planned(place, "a photo", strategies=("full",))
    with pytest.raises(UserError, match=r"leave out bottleneck= and head="):
        planned(place, strategies=("full",), network=f"clip(from={place!r}, prompt='a {{}}', head='mlp')")
    with pytest.raises(UserError, match=r"a random network says nothing of names"):
        planned(place, strategies=("full",), network="clip(prompt='a {}')")
    values = dataclasses.replace(shop(), classes=(), **{k: Examples(v.x, v.y * 0.5) for k, v in shop().splits.items()})
    with pytest.raises(UserError, match=r"prompt= is of classes by their names"):
        planned(place, target=values, strategies=("full",), labels_per_class=())


@pytest.mark.slow
def test_a_run_begins_where_zero_shot_prediction_ends(place, tmp_path):
    network, strategies = f"clip(from={place!r}, prompt='a photo of {{}}')", ("zero_shot", "tip_adapter(tuned=True)")
    said = {"steps": 2, "eval_every": 1, "seeds": 1, "labels_per_class": (2,), "batch_size": 6, "quiet": True}
    how = {"network": network, "kind": "inductive", "pictures": False, "trials": "map", "devices": 1, **said}
    run = tl_jax.fit(target=shop(), source=(), strategies=strategies, run_dir=str(tmp_path / "run"), **how)
    found = zero_shot.zero_shot(shop(), zero_shot.Asked(network, ("a photo of {}",)))
    model = tl_jax.load(run.run_dir, "zero_shot", target=shop())
    y = model.outputs(shop().test.x).logits
    alike = lambda z: z - z.max(1, keepdims=True)
    np.testing.assert_allclose(alike(y), alike(found.logits), atol=1e-3)
    tuned = tl_jax.load(run.run_dir, "tip_adapter(tuned=True)", target=shop()).outputs(shop().test.x).logits
    assert np.abs(alike(tuned) - alike(y)).max() > 1e-3
