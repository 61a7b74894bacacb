"""A head that begins as the names of its classes: what strategies begin from, and what is said of misuse."""

import dataclasses

import jax
import numpy as np
import pytest
from published_pair import published_pair
from quick import QUICK

import tl_jax
from tl_jax import Domain, Examples
from tl_jax.core.errors import UserError
from tl_jax.core.trees import unflatten
from tl_jax.kinds.table import KINDS, prepare
from tl_jax.models.zero_shot import class_features, opened
from tl_jax.programs import zero_shot
from tl_jax.run.execute.begin import from_file, head_of
from tl_jax.run.plan.setup import make_network
from tl_jax.run.plan.types import Options
from tl_jax.training.freezing import resolve

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
    assert setup.weights is not None
    assert not any(path.startswith("head") for path in setup.weights.report.reinitialised)
    assert "names of 3 classes" in str(setup.weights.report)


def test_without_a_prompt_the_head_is_new(place):
    setup = planned(place, "", strategies=("full",))
    assert set(setup.tasks[0].new or ()) == {"head/kernel", "head/bias"}
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


def test_a_learned_context_that_is_the_words_of_a_prompt_says_what_the_prompt_does(place):
    (task,) = planned(place, "a photo of {} h", strategies=("coop(context=3)",)).tasks
    setup = planned(place, "a photo of {} h", strategies=("coop(context=3)",))
    params, _ = from_file(task, setup.weights)
    assert task.new == ("head/context",)
    factors = resolve(task.rules, task.shapes)
    assert [path for path, factor in factors.items() if factor] == ["head/context"]
    network = make_network(task.config, task.problem, task.job, "map")
    table = params["head/text/embed/word/embedding"][0]
    flat = {path: x[0] for path, x in params.items()} | {"head/context": table[[4, 14, 15]]}  # the pieces a, photo, of
    x = task.problem.target.test.x
    got = jax.jit(lambda p, x: network.apply(p, {}, x)[0].logits, compiler_options=QUICK)(unflatten(flat), x)
    asked = zero_shot.Asked(f"clip(from={place!r})", ("a photo of {} h",))
    want = zero_shot.zero_shot(shop(), asked).logits + 1  # the bias of all classes
    np.testing.assert_allclose(got, want, atol=1e-4)


def test_a_context_has_one_prompt_and_places_enough(place):
    with pytest.raises(UserError, match="learned for one prompt, and the network has 2"):
        planned(place, strategies=("coop(context=2)",))
    with pytest.raises(UserError, match="are more than the 9 places of the text tower"):
        planned(place, "a {}", strategies=("coop(context=7)",))


@pytest.mark.slow
def test_a_run_begins_where_zero_shot_prediction_ends(place, tmp_path):
    network, strategies = (
        f"clip(from={place!r}, prompt='a photo of {{}}')",
        ("zero_shot", "tip_adapter(tuned=True)", "coop(context=2)"),
    )
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
    learned = tl_jax.load(run.run_dir, "coop(context=2)", target=shop())
    assert np.isfinite(learned.outputs(shop().test.x).logits).all()
    files = learned.export(tmp_path / "out")
    assert [file.name for file in files] == ["model.json", "model.stablehlo"]
    assert "has parameters under head/context" in files[0].read_text()
