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


def linear_mmd(x_s, x_t):
    scale, total = mean_squared_distance(x_s, x_t), []
    for i in range(0, len(x_s) - 1, 2):
        s, s_, t, t_ = x_s[i], x_s[i + 1], x_t[i], x_t[i + 1]
        total.append(kernel(s, s_, scale) + kernel(t, t_, scale) - kernel(s, t_, scale) - kernel(s_, t, scale))
    return np.mean(total)


def test_dan_as_published_sums_over_features_and_logits():
    losses, _ = terms(dan().terms)
    want = unbiased_mmd(S.features, T.features) + unbiased_mmd(S.logits, T.logits)
    np.testing.assert_allclose(losses["mmd"], want, rtol=1e-8)
    np.testing.assert_allclose(losses["source"], CE, rtol=1e-12)


def test_dan_as_in_the_library_is_linear_and_of_the_features():
    # It pairs rows, so both domains need the same number.
    losses, _ = terms(dan(form="tllib").terms, {"source": S, "target": FIRST})
    np.testing.assert_allclose(losses["mmd"], linear_mmd(S.features, FIRST.features), rtol=1e-8)


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
    with pytest.raises(UserError, match=r"Available: paper, tllib"):
        make(form="papers")
