"""The classics against their equations: loops, integrals and conditions of a least value."""

import numpy as np
import pytest
from scipy import linalg

from tl_jax.shallow import SHALLOW
from tl_jax.shallow.align import coral, geodesic_flow_kernel, subspace_alignment
from tl_jax.shallow.components import bda, jda, nearest, tca
from tl_jax.shallow.transport import ot_mapping

RNG = np.random.default_rng(0)
Y = np.arange(40) % 3
CENTRES = 2 * RNG.normal(size=(3, 6))
X_S = CENTRES[Y] + RNG.normal(size=(40, 6))
TURN = linalg.expm(0.4 * (lambda a: a - a.T)(RNG.normal(size=(6, 6)) / 3))
Y_T = np.arange(50) % 3
X_T = (CENTRES[Y_T] + RNG.normal(size=(50, 6))) @ TURN + 1.0


def axes(x, k):
    values, vectors = np.linalg.eigh(np.cov(x, rowvar=False))
    return vectors[:, np.argsort(-values)[:k]]


def test_coral_gives_the_source_the_target_s_covariance():
    z_s, z_t = coral(X_S, Y, X_T)
    root = lambda c, p: linalg.fractional_matrix_power(c, p).real
    c_s, c_t = (np.cov(x, rowvar=False) + np.eye(6) for x in (X_S, X_T))
    np.testing.assert_allclose(z_s, X_S @ root(c_s, -0.5) @ root(c_t, 0.5), rtol=1e-8)
    np.testing.assert_array_equal(z_t, X_T)


def test_subspace_alignment_turns_the_axes_whatever_their_signs():
    z_s, z_t = subspace_alignment(X_S, Y, X_T, dimensions=3)
    p_s, p_t = axes(X_S, 3), axes(X_T, 3)
    product = lambda a, b: a @ b.T
    want = (X_S - X_S.mean(0)) @ p_s @ p_s.T @ p_t
    np.testing.assert_allclose(product(z_s, z_t), product(want, (X_T - X_T.mean(0)) @ p_t), rtol=1e-8, atol=1e-10)


def test_the_geodesic_flow_kernel_is_the_integral_over_the_subspaces_between():
    z_s, z_t = geodesic_flow_kernel(X_S, Y, X_T, dimensions=2)
    p_s, p_t = axes(X_S, 2), axes(X_T, 2)
    u, cosine, vt = np.linalg.svd(p_s.T @ p_t)
    outside = (np.eye(6) - p_s @ p_s.T) @ p_t @ vt.T
    beside, angle = outside / np.linalg.norm(outside, axis=0), np.arccos(cosine)
    flow = lambda t: p_s @ u * np.cos(t * angle) + beside * np.sin(t * angle)
    np.testing.assert_allclose(flow(1.0) @ flow(1.0).T, p_t @ p_t.T, atol=1e-10)
    ts, weight = np.polynomial.legendre.leggauss(20)
    kernel = sum(w / 2 * flow((t + 1) / 2) @ flow((t + 1) / 2).T for t, w in zip(ts, weight, strict=True))
    want = 2 * (X_S - X_S.mean(0)) @ kernel @ (X_T - X_T.mean(0)).T
    np.testing.assert_allclose(z_s @ z_t.T, want, rtol=1e-8, atol=1e-9)


def between(e):
    m = sum(np.outer(one, one) for one in e)
    return m / np.linalg.norm(m)


def components(m, k, regular):
    """The coordinates whose pencil is solved as it stands in the papers: smallest first."""
    x = np.concatenate([X_S, X_T])
    x = (x / np.linalg.norm(x, axis=1, keepdims=True)).T
    h = np.eye(90) - 1 / 90
    values, a = linalg.eigh(x @ m @ x.T + regular * np.eye(6), x @ h @ x.T)
    a = a[:, np.argsort(values)[:k]]
    z = ((a / np.linalg.norm(a, axis=0)).T @ x).T
    return z / np.linalg.norm(z, axis=1, keepdims=True)


MEANS = np.r_[np.full(40, 1 / 40), np.full(50, -1 / 50)]


def test_tca_solves_the_pencil_of_the_paper():
    z_s, z_t = tca(X_S, Y, X_T, dimensions=3, regular=0.5)
    want = components(between([MEANS]), 3, 0.5)
    z = np.concatenate([z_s, z_t])
    np.testing.assert_allclose(z @ z.T, want @ want.T, rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("method", ["jda", "bda"])
def test_jda_adds_a_distance_a_class_by_the_labels_that_the_last_round_gave(method):
    rounds, share = 3, 0.5 if method == "jda" else 0.8
    how = {"dimensions": 3, "regular": 0.5, "rounds": rounds}
    z_s, z_t = jda(X_S, Y, X_T, **how) if method == "jda" else bda(X_S, Y, X_T, share=share, **how)
    want = components(between([MEANS]), 3, 0.5)
    for _ in range(rounds):
        said = [Y[np.linalg.norm(want[:40] - z, axis=1).argmin()] for z in want[40:]]
        e = [np.sqrt(1 - share) * MEANS]
        for c in set(Y) & set(said):
            of = np.r_[(c == Y) / sum(c == Y), -1.0 * (c == np.array(said)) / said.count(c)]
            e.append(np.sqrt(share) * of)
        want = components(between(e), 3, 0.5)
    z = np.concatenate([z_s, z_t])
    np.testing.assert_allclose(z @ z.T, want @ want.T, rtol=1e-6, atol=1e-8)


def test_more_features_than_examples_are_solved_among_the_examples():
    wide = RNG.normal(size=(6, 300))
    z_s, z_t = jda(X_S @ wide, Y, X_T @ wide, dimensions=5, rounds=2)
    assert z_s.shape[0] == 40
    assert np.isfinite(z_s).all()
    assert np.isfinite(z_t).all()


def test_transport_moves_the_source_among_the_targets():
    z_s, z_t = ot_mapping(X_S, Y, X_T, regular=0.05)
    cost = np.array([[np.square(a - b).sum() for b in X_T] for a in X_S])
    kernel, u, v = np.exp(-cost / cost.max() / 0.05), np.ones(40), np.ones(50)
    for _ in range(200):
        u = 1 / 40 / (kernel @ v)
        v = 1 / 50 / (kernel.T @ u)
    moved = u[:, None] * kernel * v
    np.testing.assert_allclose(z_s, moved @ X_T / moved.sum(1, keepdims=True), rtol=1e-6)
    np.testing.assert_array_equal(z_t, X_T)


@pytest.mark.parametrize("name", SHALLOW)
def test_every_classic_is_at_least_as_good_as_nothing_on_a_turned_and_moved_domain(name):
    plain = (nearest(X_S, Y, X_T) == Y_T).mean()
    z_s, z_t = SHALLOW[name](X_S, Y, X_T)
    assert len(z_s) == 40
    assert len(z_t) == 50
    assert (nearest(z_s, Y, z_t) == Y_T).mean() >= plain - 0.05
    again = SHALLOW[name](X_S, Y, X_T)
    np.testing.assert_array_equal(z_s, again[0])
