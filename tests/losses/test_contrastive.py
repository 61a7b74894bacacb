"""Self-supervised losses against loops in NumPy, their bounds, and their gradients."""

import jax
import numpy as np
import pytest

from tl_jax.losses import contrastive

RNG = np.random.default_rng(0)
N, D = 6, 4
A, B, OTHER = RNG.normal(size=(N, D)), RNG.normal(size=(N, D)), RNG.normal(size=(9, D))


@pytest.fixture(autouse=True)
def _double():
    with jax.enable_x64(True):
        yield


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def close(a, b):
    np.testing.assert_allclose(a, b, rtol=1e-9)


@pytest.mark.parametrize("temperature", [0.5, 0.1])
def test_nt_xent_is_the_loop(temperature):
    z, total = unit(np.concatenate([A, B])), 0
    for i in range(2 * N):
        scores = {k: np.exp(z[i] @ z[k] / temperature) for k in range(2 * N) if k != i}
        total -= np.log(scores[(i + N) % (2 * N)] / sum(scores.values()))
    close(contrastive.nt_xent(A, B, temperature), total / (2 * N))
    close(contrastive.nt_xent(3 * B, A, temperature), contrastive.nt_xent(A, B, temperature))
    # All alike: chance among 2n - 1.
    close(contrastive.nt_xent(A[:1].repeat(N, 0), A[:1].repeat(N, 0)), np.log(2 * N - 1))


def test_info_nce_is_the_loop_and_moves_the_query_alone():
    q, k, total = unit(A), unit(B), 0
    for i in range(N):
        scores = np.exp([q[i] @ other / 0.2 for other in k])
        total -= np.log(scores[i] / scores.sum())
    close(contrastive.info_nce(A, B, 0.2), total / N)
    assert not jax.grad(contrastive.info_nce, 1)(A, B).any()


def test_negative_cosine_is_that_of_numpy_and_moves_the_prediction_alone():
    close(contrastive.negative_cosine(A, B), -(unit(A) * unit(B)).sum(1).mean())
    close(contrastive.negative_cosine(A, 5 * A), -1)
    in_p, in_z = jax.grad(contrastive.negative_cosine, (0, 1))(A, B)
    assert np.abs(in_p).max() > 0.01
    assert not in_z.any()


def test_barlow_is_the_loop_over_the_correlation():
    a, b = ((z - z.mean(0)) / np.sqrt(z.var(0) + 1e-5) for z in (A, B))
    total = 0
    for j in range(D):
        for k in range(D):
            c = (a[:, j] * b[:, k]).mean()
            total += (1 - c) ** 2 if j == k else 0.3 * c**2
    close(contrastive.barlow(A, B, 0.3), total)
    assert contrastive.barlow(A, A, 0.0) < 1e-8


def test_vicreg_is_three_moments():
    invariance, variance, covariance = contrastive.vicreg(A, B)
    close(invariance, ((A - B) ** 2).mean())
    hinge = [max(0, 1 - np.sqrt(z[:, j].var(ddof=1) + 1e-4)) for z in (A, B) for j in range(D)]
    close(variance, sum(hinge) / D / 2)
    off = [np.cov(z.T)[j, k] ** 2 for z in (A, B) for j in range(D) for k in range(D) if j != k]
    close(covariance, sum(off) / D)
    assert all(v < 1e-6 for v in contrastive.vicreg(np.eye(40, 1) * 100, np.eye(40, 1) * 100))


def test_dino_is_a_cross_entropy_with_the_centred_teacher():
    softmax = lambda z: np.exp(z) / np.exp(z).sum(-1, keepdims=True)
    centre, total = RNG.normal(size=D), 0
    for s, t in zip(A, B, strict=True):
        total -= softmax((t - centre) / 0.04) @ np.log(softmax(s / 0.1))
    close(contrastive.dino(A, B, (0.1, 0.04), centre), total / N)
    assert not jax.grad(lambda t: contrastive.dino(A, t, (0.1, 0.04), centre))(B).any()


PAIRS = {
    "nt_xent": contrastive.nt_xent,
    "info_nce": contrastive.info_nce,
    "negative_cosine": contrastive.negative_cosine,
    "barlow": contrastive.barlow,
    "vicreg": lambda a, b: sum(contrastive.vicreg(a, b)),
    "dino": lambda a, b: contrastive.dino(a, b, (0.1, 0.04), np.zeros(D)),
}


@pytest.mark.parametrize("name", PAIRS)
def test_gradients_are_slopes_and_finite_where_all_rows_are_equal_or_zero(name):
    loss = PAIRS[name]
    slope = jax.jit(jax.grad(loss))
    up, down = A.copy(), A.copy()
    up[2, 1] += 1e-6
    down[2, 1] -= 1e-6
    np.testing.assert_allclose(slope(A, B)[2, 1], (loss(up, B) - loss(down, B)) / 2e-6, rtol=1e-4, atol=1e-8)
    for x in (np.zeros((N, D)), np.ones((N, D)), 1e6 * A):
        assert np.isfinite(loss(x, x))
        assert np.isfinite(slope(x, x)).all()
    with pytest.raises(ValueError, match=r"alike, row i with row i: got \(6, 4\) and \(9, 4\)"):
        loss(A, OTHER)
