"""LEEP, NCE, kNN and the table of scores against loops."""

import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import mutual_info_score
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from tl_jax.core.errors import UserError
from tl_jax.evaluation.transferability.scores import SCORES, Sample, score, scores


def draw(seed, n=40, d=6, z=5, classes=3):
    rng = np.random.default_rng(seed)
    y = np.arange(n) % classes
    x = rng.normal(size=(n, d)) + np.eye(classes, d)[y] * 1.5
    logits = rng.normal(size=(n, z)) + np.eye(classes, z)[y] * 2
    return Sample(y, x, np.exp(logits) / np.exp(logits).sum(1, keepdims=True), 0.7)


def entropy(labels):
    share = np.unique(labels, return_counts=True)[1] / len(labels)
    return -(share * np.log(share)).sum()


def test_leep_is_a_mean_of_logarithms():
    s = draw(0)
    total = 0.0
    for i, y in enumerate(s.y):
        given = [s.source_probs[s.y == y, z].sum() / s.source_probs[:, z].sum() for z in range(5)]
        total += np.log(sum(p * q for p, q in zip(given, s.source_probs[i], strict=True)))
    assert score("leep", s) == pytest.approx(total / 40, rel=1e-5)
    assert score("leep", s) < 0


def test_nce_is_minus_a_conditional_entropy_and_never_positive():
    for seed in range(5):
        s = draw(seed)
        z = s.source_probs.argmax(1)
        expected = mutual_info_score(z, s.y) - entropy(s.y)
        assert score("nce", s) == pytest.approx(expected, abs=1e-6)
        assert score("nce", s) <= 0


def test_a_source_model_that_knows_the_labels_scores_zero_and_one_that_knows_nothing_the_entropy():
    y = np.arange(30) % 3
    right, blind = Sample(y, source_probs=np.eye(4)[y]), Sample(y, source_probs=np.full((30, 4), 0.25))
    for name in ("leep", "nce"):
        assert score(name, right) == pytest.approx(0, abs=1e-6)
        assert score(name, blind) == pytest.approx(-entropy(y), abs=1e-5)


def test_knn_leaves_the_example_itself_out():
    s = draw(1)
    model = KNeighborsClassifier(5, metric="cosine", algorithm="brute", weights=lambda d: np.exp((1 - d) / 0.07))
    expected = cross_val_predict(model, s.features, s.y, cv=LeaveOneOut())
    assert score("knn", s) == pytest.approx((expected == s.y).mean())
    noise = Sample(np.arange(200) % 2, np.random.default_rng(0).normal(size=(200, 3)))
    assert score("knn", noise) < 0.65  # with itself among its neighbours: near 1


def test_every_score_runs_and_the_sample_decides_which():
    s = draw(2)
    assert list(scores(s)) == list(SCORES)
    assert all(np.isfinite(v) for v in scores(s).values())
    assert list(scores(s._replace(features=None, prior=None))) == ["leep", "nce"]
    assert scores(s)["static"] == pytest.approx(0.7)


def test_labels_may_be_any_integers():
    s = draw(3)
    other = s._replace(y=np.array([-5, 100, 7])[s.y])
    for name, value in scores(s).items():
        assert score(name, other) == pytest.approx(value, rel=1e-4), name


def test_jax_arrays_are_welcome():
    s = draw(4)
    on_device = Sample(jnp.asarray(s.y), jnp.asarray(s.features), jnp.asarray(s.source_probs), 0.7)
    assert scores(on_device) == pytest.approx(scores(s))


def test_mistakes_are_named():
    s = draw(5)
    with pytest.raises(UserError, match=r"Unknown transferability score 'logm'. Did you mean 'logme'\?"):
        score("logm", s)
    with pytest.raises(UserError, match="'leep' needs source_probs"):
        score("leep", s._replace(source_probs=None))
    with pytest.raises(UserError, match="at least 2 classes"):
        score("logme", s._replace(y=np.zeros(40, int)))
    with pytest.raises(UserError, match="n = 40 labels"):
        score("logme", s._replace(features=s.features[:5]))
