"""SHOT: pseudo-labels against a loop in NumPy, and its terms."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from cases import AT, OUT, ROWS, C, M, N, S, T, Y, cross_entropy, entropy, softmax, terms

from tl_jax.core.types import Model, Network, Output
from tl_jax.methods.shot import pseudo_labels, shot

LABEL = jax.jit(pseudo_labels)


def by_loop(features, logits):
    """Nearest centroid by cosine: first of softly, then of firmly assigned features."""
    f = [np.append(row, 1.0) for row in features]
    f = [row / np.linalg.norm(row) for row in f]
    share, named = softmax(logits), set(logits.argmax(1))
    for _ in range(2):
        best = []
        for row in f:
            cosine = {}
            for k in named:
                centroid = sum(w * other for w, other in zip(share[:, k], f, strict=True)) / share[:, k].sum()
                cosine[k] = row @ centroid / np.linalg.norm(centroid)
            best.append(max(cosine, key=cosine.get))
        share = np.eye(logits.shape[1])[best]
        named &= set(best)
    return best


@pytest.mark.parametrize("seed", range(5))
def test_pseudo_labels_are_those_of_the_loop(seed):
    rng = np.random.default_rng(seed)
    centres = 2 * rng.normal(size=(C, 3))
    y = rng.integers(0, C, 40)
    features = centres[y] + rng.normal(size=(40, 3))
    logits = 2 * np.eye(C)[y] + rng.normal(size=(40, C))
    labels = LABEL(features, logits)
    np.testing.assert_array_equal(labels, by_loop(features, logits))
    assert (labels != logits.argmax(1)).any()


def test_a_class_that_no_prediction_names_is_never_a_label():
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(40, C))
    logits[:, 2] = np.delete(logits, 2, axis=1).max(1) - 0.01
    features = rng.normal(size=(40, 3))
    assert (logits.argmax(1) != 2).all()
    labels = np.asarray(LABEL(features, logits))
    assert 2 not in labels
    np.testing.assert_array_equal(labels, by_loop(features, logits))


def test_a_class_that_the_first_assignment_empties_is_never_a_label():
    # Rows 0 and 5 are predicted as class 2 and leave it; an empty class has no centroid to be near to.
    features = np.array([[11.0, 3], [-5, -13], [-19, 0], [-8, -9], [-2, -1], [-23, 9], [-20, 19]])
    logits = 0.1 * np.array([[-1, 0, 1], [0, 1, 0], [1, 1, -1], [-1, 0, 0], [-2, 2, -2], [-2, -1, 1], [2, 0, 0]])
    assert 2 in logits.argmax(1)
    labels = np.asarray(LABEL(features, logits))
    assert 2 not in labels
    np.testing.assert_array_equal(labels, by_loop(features, logits))


def test_features_of_zero_are_no_division_by_zero():
    assert np.isfinite(LABEL(np.zeros((6, 3)), np.eye(6, C))).all()


def test_the_terms_are_information_and_the_pseudo_labels_of_the_batch_rows():
    labels = np.arange(10) % C
    losses, _ = terms(shot().terms, {"target": T}, memory={"labels": labels})
    p = softmax(T.logits).mean(0)
    information = entropy(T.logits).mean() + (p * np.log(p)).sum()
    np.testing.assert_allclose(losses["information"], information, rtol=1e-10)
    np.testing.assert_allclose(losses["pseudo"], cross_entropy(T.logits, labels[ROWS]), rtol=1e-10)
    assert set(losses) == {"information", "pseudo"}
    assert shot().weights(None) == {"information": 1.0}
    assert len(ROWS) == M


def test_a_refresh_labels_every_target_in_order():
    network = Network(lambda *_: ({}, {}), lambda params, stats, x: (Output(x[:, :3], x[:, 3:]), stats))
    x = jnp.asarray(np.random.default_rng(1).normal(size=(300, 3 + C)))
    memory = shot().refresh(network, Model({}, {}, {}, {}), x, AT)
    # More than one batch, the last one incomplete.
    np.testing.assert_array_equal(memory["labels"], LABEL(x[:, :3], x[:, 3:]))


def test_no_source_is_read_and_the_head_is_frozen():
    assert {view.domain for view in shot().views.values()} == {"target"}
    assert shot().freeze == (("head/*", "frozen"),)
    assert shot().lam == 0.3


def test_the_source_model_is_trained_with_smoothed_labels():
    losses, _ = terms(shot(smoothing=0.2).start.terms, OUT)
    q = 0.8 * np.eye(C)[Y] + 0.2 / C
    np.testing.assert_allclose(losses["source"], -(q * np.log(softmax(S.logits))).sum() / N, rtol=1e-10)
