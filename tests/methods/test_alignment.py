"""DAN and Deep CORAL against NumPy, in both of their published forms."""

import numpy as np
import pytest
from cases import CE, C, N, S, T, gradient, terms

from tl_jax.core.errors import UserError
from tl_jax.core.types import Output
from tl_jax.methods.dan import dan
from tl_jax.methods.deep_coral import deep_coral

FIRST = Output(T.features[:N], T.logits[:N])


def kernel(x, y, scale):
    return sum(np.exp(-np.square(x - y).sum() / (2 * 2.0**k * scale)) for k in range(-3, 2))


def mean_squared_distance(x_s, x_t):
    z = np.concatenate([x_s, x_t])
    # Over all pairs, each example with itself included.
    return np.mean([[np.square(a - b).sum() for a in z] for b in z])


def unbiased_mmd(x_s, x_t):
    scale = mean_squared_distance(x_s, x_t)
    within = lambda x: np.mean([kernel(x[i], x[j], scale) for i in range(len(x)) for j in range(len(x)) if i != j])
    return within(x_s) + within(x_t) - 2 * np.mean([[kernel(a, b, scale) for a in x_s] for b in x_t])


def paired_mmd(x_s, x_t, pairs):
    scale = mean_squared_distance(x_s, x_t)
    k = lambda x, y: kernel(x, y, scale)
    return np.mean([k(x_s[i], x_s[j]) + k(x_t[i], x_t[j]) - k(x_s[i], x_t[j]) - k(x_s[j], x_t[i]) for i, j in pairs])


DISJOINT = [(0, 1), (2, 3), (4, 5)]
CYCLIC = [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5), (5, 0)]


def test_dan_sums_over_features_and_logits_in_all_pairs():
    losses, _ = terms(dan().terms)
    want = unbiased_mmd(S.features, T.features) + unbiased_mmd(S.logits, T.logits)
    np.testing.assert_allclose(losses["mmd"], want, rtol=1e-8)
    np.testing.assert_allclose(losses["source"], CE, rtol=1e-12)
    np.testing.assert_array_equal(terms(dan(form="quadratic").terms)[0]["mmd"], losses["mmd"])


def test_dan_as_published_takes_disjoint_pairs_of_features_and_logits():
    losses, _ = terms(dan(form="paper").terms, {"source": S, "target": FIRST})
    want = sum(paired_mmd(a, b, DISJOINT) for a, b in zip(S[:2], FIRST[:2], strict=True))
    np.testing.assert_allclose(losses["mmd"], want, rtol=1e-8)


def test_dan_as_in_the_library_takes_cyclic_pairs_of_the_features():
    losses, _ = terms(dan(form="tllib").terms, {"source": S, "target": FIRST})
    np.testing.assert_allclose(losses["mmd"], paired_mmd(S.features, FIRST.features, CYCLIC) + 2 / 5, rtol=1e-8)


def test_of_two_sources_the_forms_in_linear_time_take_the_mean(monkeypatch):
    import cases

    source = cases.BATCH.sources[0]
    halves = tuple(type(source)(*(part[rows] for part in source)) for rows in (slice(0, 3), slice(3, 6)))
    monkeypatch.setattr(cases, "BATCH", cases.BATCH._replace(sources=halves))
    three = Output(T.features[:3], T.logits[:3])
    losses, _ = terms(dan(form="tllib").terms, {"source": S, "target": three})
    both = [paired_mmd(S.features[rows], three.features, [(0, 1), (1, 2), (2, 0)]) for rows in (slice(3), slice(3, 6))]
    np.testing.assert_allclose(losses["mmd"], np.mean(both) + 2 / 2, rtol=1e-8)


def test_deep_coral_as_published_compares_covariances_of_the_logits():
    difference = np.cov(S.logits.T) - np.cov(T.logits.T)
    losses, _ = terms(deep_coral().terms)
    np.testing.assert_allclose(losses["coral"], np.square(difference).sum() / (4 * C**2), rtol=1e-10)


def test_deep_coral_as_in_the_library_compares_means_too_of_the_features():
    difference = np.cov(S.features.T) - np.cov(T.features.T)
    means = S.features.mean(0) - T.features.mean(0)
    losses, _ = terms(deep_coral(form="tllib").terms)
    np.testing.assert_allclose(losses["coral"], np.square(difference).mean() + np.square(means).mean(), rtol=1e-10)


@pytest.mark.parametrize(("make", "term"), [(dan, "mmd"), (deep_coral, "coral")])
def test_the_distance_moves_both_domains_and_an_unknown_form_lists_the_known(make, term):
    _, out = gradient(make().terms, term)
    assert np.abs(out["source"].logits).max() > 1e-3
    assert np.abs(out["target"].logits).max() > 1e-3
    with pytest.raises(UserError, match=r"Available: .*paper, tllib"):
        make(form="papers")
