"""Methods on the target's predictions against NumPy: entropy, pseudo-labels, nuclear norm, AdaMatch."""

import numpy as np
import pytest
from cases import CE, OTHER, OUT, C, M, N, S, T, Y, cross_entropy, entropy, gradient, softmax, terms

from tl_jax.core.types import Output
from tl_jax.methods import METHODS


def test_entropy_minimisation_is_the_mean_entropy():
    losses, _ = terms(METHODS["entropy_minimisation"]().terms)
    np.testing.assert_allclose(losses["entropy"], entropy(T.logits).mean(), rtol=1e-9)
    np.testing.assert_allclose(losses["source"], CE, rtol=1e-9)
    assert METHODS["entropy_minimisation"]().lam == 0.1


def test_pseudo_labels_count_confident_rows_among_all():
    values = {"threshold": 0.6}
    p = softmax(T.logits).max(1)
    sure = p >= 0.6
    assert 0 < sure.sum() < M
    losses, metrics = terms(METHODS["pseudo_label"]().terms, values=values)
    np.testing.assert_allclose(losses["pseudo"], -(np.log(p) * sure).sum() / M, rtol=1e-9)
    np.testing.assert_allclose(metrics["mask_rate"], sure.mean())
    _, out = gradient(METHODS["pseudo_label"]().terms, "pseudo", values=values)
    assert (np.abs(out["target"].logits).sum(1) > 0).tolist() == sure.tolist()


def test_bnm_is_minus_the_sum_of_singular_values():
    losses, _ = terms(METHODS["bnm"]().terms)
    np.testing.assert_allclose(losses["nuclear"], -np.linalg.svd(softmax(T.logits))[1].sum() / M, rtol=1e-9)


def test_bnm_prefers_predictions_that_are_certain_and_of_every_class():
    spread = lambda labels, size: terms(
        METHODS["bnm"]().terms, {"source": S, "target": Output(T.features, size * np.eye(C)[labels])}
    )[0]["nuclear"]
    even, one = np.arange(M) % C, np.zeros(M, int)
    assert spread(even, 9.0) < spread(even, 1.0)
    assert spread(even, 9.0) < spread(one, 9.0)


ADAMATCH = {"source": S, "source_strong": Output(*(x[:N] for x in OTHER[:2])), "target": T, "target_strong": OTHER}


@pytest.mark.parametrize("threshold", [0.9, 0.5])
def test_adamatch_aligns_and_masks_relative_to_the_source(threshold):
    p_s, p_t = softmax(S.logits), softmax(T.logits)
    q = p_t * (p_s.mean(0) + 1e-6) / (p_t.mean(0) + 1e-6)
    q /= q.sum(1, keepdims=True)
    sure = q.max(1) >= threshold * p_s.max(1).mean()
    assert sure.sum() > 0
    loss = -np.log(softmax(OTHER.logits)[np.arange(M), q.argmax(1)])
    losses, metrics = terms(METHODS["adamatch"]().terms, ADAMATCH, values={"threshold": threshold})
    np.testing.assert_allclose(losses["consistency"], (loss * sure).sum() / M, rtol=1e-9)
    np.testing.assert_allclose(losses["source"], (CE + cross_entropy(OTHER.logits[:N], Y)) / 2, rtol=1e-9)
    np.testing.assert_allclose(metrics["mask_rate"], sure.mean())
    _, out = gradient(METHODS["adamatch"]().terms, "consistency", ADAMATCH, values={"threshold": threshold})
    assert not out["source"].logits.any()
    assert not out["target"].logits.any()


def test_adamatch_sees_two_views_of_both_domains():
    method = METHODS["adamatch"]()
    assert {name: (v.domain, v.augment) for name, v in method.views.items()} == {
        "source": ("source", "weak"),
        "source_strong": ("source", "strong"),
        "target": ("target", "weak"),
        "target_strong": ("target", "strong"),
    }
    assert method.lam_schedule == "half_cosine"
    assert set(OUT) < set(ADAMATCH)
