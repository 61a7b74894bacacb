"""The table of names, and the methods that add nothing to the source loss."""

import numpy as np
import pytest
from cases import CE, OUT, C, N, S, T, Y, entropy, gradient, softmax, terms

from tl_jax.methods import METHODS
from tl_jax.methods.contract import source_model
from tl_jax.methods.mcc import mcc


def test_a_method_has_the_name_of_its_file():
    for name, make in METHODS.items():
        assert make.__name__ == name
        assert make.__module__ == f"tl_jax.methods.{name}"


def test_target_labels_are_given_to_the_bound_and_to_fine_tuning_alone():
    named = [name for name, make in METHODS.items() if make().labels == "target"]
    tuned = ["fine_tune", "bss", "delta", "l2_sp", "lwf", "stoch_norm", "co_tuning", "bi_tuning", "wise_ft"]
    assert named == ["target_only", *tuned]


@pytest.mark.parametrize("name", ["source_only", "target_only", "adabn"])
def test_the_bounds_are_the_cross_entropy_of_the_source(name):
    losses, metrics = terms(METHODS[name]().terms)
    assert set(losses) == {"source"}
    assert metrics == {}
    np.testing.assert_allclose(losses["source"], CE, rtol=1e-12)


@pytest.mark.parametrize("name", ["mcc", "fixmatch", "mean_teacher"])
def test_the_source_term_of_a_method_is_that_of_source_only(name):
    method = METHODS[name]()
    losses, _ = terms(method.terms, {**OUT, "target_strong": T, "teacher": T}, values=method.values)
    np.testing.assert_allclose(losses["source"], CE, rtol=1e-12)


def test_label_smoothing_spreads_the_label_over_all_classes():
    losses, _ = terms(source_model(smoothing=0.1).terms)
    q = 0.9 * np.eye(C)[Y] + 0.1 / C
    np.testing.assert_allclose(losses["source"], -(q * np.log(softmax(S.logits))).sum() / N, rtol=1e-12)


@pytest.mark.parametrize("temperature", [2.5, 1.0])
def test_mcc_is_the_confusion_of_the_target(temperature):
    values = {**mcc().values, "temperature": temperature}
    p = softmax(T.logits / temperature)
    w = 1 + np.exp(-entropy(T.logits / temperature))
    matrix = p.T @ np.diag(len(p) * w / w.sum()) @ p
    matrix /= matrix.sum(1, keepdims=True)
    losses, _ = terms(mcc().terms, values=values)
    np.testing.assert_allclose(losses["confusion"], (matrix.sum() - np.trace(matrix)) / C, rtol=1e-10)
    _, in_out = gradient(mcc().terms, "confusion", values=values)
    assert not in_out["source"].logits.any()
    assert mcc().values == {"temperature": 2.5}
