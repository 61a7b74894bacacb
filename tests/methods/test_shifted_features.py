"""KLIEP and uLSIF against NumPy: the ratio of two densities, and the weights it gives the source."""

import jax.numpy as jnp
import numpy as np
import pytest
from cases import AT, BATCH, OUT, M, N, S, T, Y, softmax

from tl_jax.core.batching import some
from tl_jax.core.types import Model, Network, Output
from tl_jax.losses.importance import bumps, median_distance, ratio_by_least_squares, ratio_by_likelihood
from tl_jax.methods import METHODS
from tl_jax.methods.contract import Example, Own

SEEN = {**OUT, "measured": Output(S.features[::-1], S.logits)}
SAYS = Network(lambda *_: ({}, {}), lambda params, stats, x, **how: (Output(x, x), stats))
CENTRES = T.features[some(M, 3)]
WIDTH = np.median([np.linalg.norm(CENTRES[i] - CENTRES[j]) for i in range(3) for j in range(i)])
gauss = lambda x: np.exp(-((x[:, None] - CENTRES[None]) ** 2).sum(2) / (2 * WIDTH**2))


def test_least_squares_and_likelihood_find_the_ratio():
    np.testing.assert_allclose(bumps(S.features, CENTRES, WIDTH), gauss(S.features), rtol=1e-9)
    np.testing.assert_allclose(median_distance(jnp.asarray(CENTRES)), WIDTH, rtol=1e-9)
    k_s, k_t = gauss(S.features), gauss(T.features)
    moment, mean = k_s.T @ k_s / N, k_t.mean(0)
    want = np.maximum(0, np.linalg.solve(moment + 0.1 * np.eye(3), mean))
    np.testing.assert_allclose(ratio_by_least_squares(moment, mean, 0.1), want, rtol=1e-9)
    a = np.asarray(ratio_by_likelihood(jnp.asarray(k_t), jnp.asarray(k_s.mean(0)), 3000))
    assert a @ k_s.mean(0) == pytest.approx(1)
    # Optimal: no centre would gain, and those that are used gain nothing.
    gain = (k_t / (k_t @ a)[:, None]).mean(0) / k_s.mean(0)
    assert (gain < 1 + 1e-4).all()
    np.testing.assert_allclose(gain[a > 1e-3], 1, atol=1e-4)


@pytest.mark.parametrize("name", ["ulsif", "kliep"])
def test_the_source_weighs_as_the_ratio_says_once_a_pass_has_been_seen(name):
    method = METHODS[name](centres=3)
    own = method.init(AT.key, Example(T.features[:2], T.logits[:2], T.features[:2], 1), Model({}, {}, {}, {}))
    model = Model({}, {}, own.memory, {})
    each = -np.log(softmax(S.logits)[np.arange(N), Y])
    model = model._replace(memory=method.refresh(SAYS, model, jnp.asarray(T.features), AT))
    loss = lambda: method.terms(Own({}, model.memory), SEEN, BATCH, AT).losses["weighted"]
    np.testing.assert_allclose(loss(), each.mean(), rtol=1e-9)
    for _ in range(2):
        model = model._replace(memory=method.after(model, SEEN, BATCH, AT))
    model = model._replace(memory=method.refresh(SAYS, model, jnp.asarray(T.features), AT))
    k_s, k_t = gauss(S.features), gauss(T.features)
    ratio = {"ulsif": ratio_by_least_squares(k_s.T @ k_s / N, k_t.mean(0), 0.1)}
    ratio["kliep"] = ratio_by_likelihood(jnp.asarray(k_t), jnp.asarray(k_s.mean(0)), 200)
    np.testing.assert_allclose(model.memory["a"], ratio[name], rtol=1e-7)
    w = gauss(S.features[::-1]) @ np.asarray(ratio[name])
    np.testing.assert_allclose(loss(), (w * each).sum() / w.sum(), rtol=1e-7)
    assert model.memory["seen"] == 2 * N
    assert {of for _, of in method.freeze} == {"frozen"}
