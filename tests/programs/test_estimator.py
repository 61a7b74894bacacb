"""The estimator: scikit-learn's rules, and the model that a run of the same settings ends with."""

import pickle

import numpy as np
import pytest
from tiny import SOURCE, TARGET

import tl_jax
from tl_jax import Adapted
from tl_jax.estimator import _like

NAMES = ("cup", "jug", "pan")
X, Y, X_T = SOURCE.train.x, np.array(NAMES)[SOURCE.train.y], TARGET.train.x
SMALL = {"network": "mlp(bottleneck=8, hidden=(16,))", "steps": 30, "batch_size": 16, "lr": 0.01}


@pytest.fixture(scope="module")
def adapted(tmp_path_factory) -> Adapted:
    return Adapted("mcc", run_dir=str(tmp_path_factory.mktemp("run")), **SMALL).fit(X, Y, X_T)


@pytest.fixture(scope="module")
def model(adapted) -> tl_jax.TrainedModel:
    """That of its run."""
    source, target = tl_jax.Examples(X, SOURCE.train.y), tl_jax.Examples(X_T)
    return tl_jax.load(
        adapted.run_dir_,
        source=tl_jax.Domain("source", NAMES, source, source, source),
        target=tl_jax.Domain("target", None, target, target, target),  # pyright: ignore[reportArgumentType]
    )


def test_it_predicts_as_the_model_of_its_run(adapted, model):
    np.testing.assert_allclose(adapted.predict_proba(X_T), model.probabilities(X_T), atol=1e-5)
    np.testing.assert_array_equal(adapted.predict(X_T), model.predict(X_T))
    assert adapted.score(X_T, np.array(NAMES)[TARGET.train.y]) > 0.5
    assert tuple(adapted.classes_) == NAMES


def test_a_run_on_own_arrays_is_exported(model, tmp_path):
    files = model.export(tmp_path)
    assert [path.name for path in files] == ["weights.safetensors", "model.json", "model.stablehlo"]


def test_a_pickled_one_predicts_alike_and_lists_are_taken(adapted):
    again = pickle.loads(pickle.dumps(adapted))
    np.testing.assert_array_equal(again.predict(X_T.tolist()), adapted.predict(X_T))


@pytest.mark.parametrize(
    ("how", "given", "said"),
    [
        ({"method": "dann"}, (X, Y), "adapts to a target"),
        ({}, (X, Y[:-1], X_T), "inconsistent numbers of samples"),
        ({}, (X, Y, X_T[:, :-1]), "features"),
        ({}, (X, ["cup"] * len(X), X_T), "one class"),
        ({}, (np.where(X > 2, np.nan, X), Y, X_T), "NaN"),
        ({"settings": {"label_space": "open"}}, (X, Y, X_T), "no class here"),
    ],
)
def test_a_mistake_is_a_message_before_anything_is_trained(how, given, said):
    with pytest.raises(ValueError, match=said):
        Adapted(**how).fit(*given)


def test_pixels_are_those_of_the_training():
    pixels = np.zeros((3, 8, 8, 1), np.uint8)
    assert _like(pixels, ((8, 8, 1), "uint8")) is pixels
    for x, form in (
        (pixels / 255, ((8, 8, 1), "uint8")),
        (pixels, ((9, 9, 1), "uint8")),
        (pixels, ((8, 8, 1), "float32")),
    ):
        with pytest.raises(ValueError, match="the estimator was trained on"):
            _like(x, form)


@pytest.mark.slow
def test_scikit_learns_own_checks_hold():
    from sklearn.utils.estimator_checks import check_estimator

    small = {**SMALL, "network": "mlp(hidden=(32,), dropout=0.0)", "steps": 60, "batch_size": 32}
    found = check_estimator(Adapted("source_only", **small), on_fail=None, on_skip=None)
    assert len(found) > 40
    assert [one["check_name"] for one in found if one["status"] == "failed"] == []
