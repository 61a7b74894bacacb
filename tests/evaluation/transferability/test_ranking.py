"""Intervals, agreement, chance and regret."""

import jax
import numpy as np
import pytest
import scipy.stats

from tl_jax.core.errors import UserError
from tl_jax.evaluation.transferability import ranking
from tl_jax.evaluation.transferability.scores import SCORES, Sample, score


def draw(seed, n=60, d=5, apart=1.0):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.3).astype(int)
    x = rng.normal(size=(n, d)) + apart * np.eye(2, d)[y]
    return Sample(y, x, np.abs(rng.normal(size=(n, 3))) + 0.1 + np.eye(2, 3)[y], 0.5)


def test_half_samples_keep_half_of_every_class_and_repeat_no_row():
    y = np.array([3, 1, 1, 3, 3, 0, 7, 7])
    rows = np.asarray(jax.vmap(lambda key: ranking.halves(key, y))(jax.random.split(jax.random.key(0), 500)))
    np.testing.assert_array_equal(np.sort(y[rows]), np.tile([0, 1, 3, 3, 7], (500, 1)))
    assert all(len(set(each)) == 5 for each in rows)
    np.testing.assert_allclose([(rows == i).any(1).mean() for i in (0, 3, 4)], 2 / 3, atol=0.08)


def test_the_interval_holds_the_score_with_fewer_examples_than_dimensions():
    found = ranking.interval("logme", draw(3, n=24, d=60), jax.random.key(0), resamples=40)
    assert found.low < found.value < found.high


@pytest.mark.parametrize("name", ["logme", "knn", "leep", "static"])
def test_scores_of_each_kind_have_an_interval(name):
    s = draw(0)
    s = s._replace(source_probs=s.source_probs / s.source_probs.sum(1, keepdims=True))
    found = ranking.interval(name, s, jax.random.key(0), resamples=40)
    assert found.value == pytest.approx(score(name, s), rel=1e-5)
    assert found.low <= found.high
    assert (found.low < found.high) == (name != "static")
    assert ranking.interval(name, s, jax.random.key(0), resamples=40) == found


def test_the_interval_of_a_mean_over_rows_is_the_textbook_one():
    """Stratified by class: the variance is the sum over classes of share^2 p (1 - p) / n_c."""
    s = draw(1, n=400)
    hits = np.asarray(SCORES["knn"].of(jax.numpy.asarray(s.features), jax.numpy.asarray(s.y), 2))
    within = [((s.y == c).mean(), hits[s.y == c]) for c in (0, 1)]
    deviation = np.sqrt(sum(share**2 * h.var() / len(h) for share, h in within))
    found = ranking.interval("knn", s, jax.random.key(0), resamples=2000)
    assert found.high - found.low == pytest.approx(2 * 1.96 * deviation, rel=0.1)


def test_more_examples_narrow_the_interval():
    width = []
    for n in (240, 960):
        found = ranking.interval("h_score", draw(2, n=n), jax.random.key(0), resamples=40)
        width.append(found.high - found.low)
    assert width[1] < 0.6 * width[0]


# Agreement and chance ---------------------------------------------------------------------------

TABLE = {"a": [1.0, 2, 3, 4, 5], "b": [1.0, 2, 3, 5, 4], "c": [5.0, 4, 3, 2, 1], "flat": [1.0] * 5}


@pytest.mark.parametrize("kind", ranking.KINDS)
def test_agreement_is_scipys(kind):
    names, tau = ranking.agreement(TABLE, kind)
    assert names == tuple(TABLE)
    assert tau[0, 2] == pytest.approx(-1)
    np.testing.assert_allclose(np.diag(tau)[:3], 1)
    np.testing.assert_allclose(tau, tau.T)
    expected = {"kendall": scipy.stats.kendalltau, "weighted": scipy.stats.weightedtau}[kind](TABLE["a"], TABLE["b"])
    assert tau[0, 1] == pytest.approx(expected.statistic)
    assert np.isnan(tau[3]).all()


def test_the_weighted_tau_minds_the_top_more():
    swapped_top = ranking.agreement({"a": TABLE["a"], "b": [1, 2, 3, 5, 4]}).tau[0, 1]
    swapped_bottom = ranking.agreement({"a": TABLE["a"], "b": [2, 1, 3, 4, 5]}).tau[0, 1]
    assert swapped_top < swapped_bottom


def test_chance_among_eleven_models():
    deviation, high = ranking.chance(11, jax.random.key(0))
    assert deviation == pytest.approx(0.28, abs=0.02)
    assert high == pytest.approx(0.47, abs=0.04)


# Regret -----------------------------------------------------------------------------------------


def test_regret_is_what_the_choice_loses():
    truth = [0.7, 0.9, 0.8]
    assert ranking.regret([1, 5, 2], truth) == 0
    assert ranking.regret([5, 1, 2], truth) == pytest.approx(0.2)
    assert ranking.regret([5, 1, 5], truth) == pytest.approx(0.15)  # tied: the mean of both choices
    assert ranking.regret([0, 0, 0], truth) == pytest.approx(0.1)


def test_mistakes_are_named():
    with pytest.raises(UserError, match="one value and one accuracy"):
        ranking.regret([1, 2], [0.5])
    with pytest.raises(UserError, match="not finite"):
        ranking.regret([1, np.nan], [0.5, 0.6])
    with pytest.raises(UserError, match=r"same 2 or more models.*'b': 1"):
        ranking.agreement({"a": [1, 2], "b": [1]})
    with pytest.raises(UserError, match="Unknown rank correlation 'spearman'"):
        ranking.agreement(TABLE, "spearman")
