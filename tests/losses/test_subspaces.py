"""Angles between subspaces against the published code in NumPy, and their derivative against differences."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.core.errors import UserError
from tl_jax.core.matrices import TIE, svd
from tl_jax.losses.spectra.subspaces import subspace_distance, sum_of_sines

pytestmark = pytest.mark.usefixtures("double")

RNG = np.random.default_rng(0)
F_S, F_T = RNG.normal(size=(4, 9)), RNG.normal(size=(4, 9)) + 0.5
RANDOM = RNG.normal(size=(2, 12, 32)) + np.array([0.0, 0.3])[:, None, None]
PIECES = jax.jit(lambda s, t: tuple(subspace_distance(s, t)))
SLOPES = jax.jit(lambda s, t: jax.jacrev(lambda s, t: jnp.stack(subspace_distance(s, t)), (0, 1))(s, t))


def published(f_s, f_t):
    """RSD and BMP as the authors' code (and TLLib's) has them, line by line; checked for equal batches."""
    u_s, _, _ = np.linalg.svd(f_s.T, full_matrices=False)
    u_t, _, _ = np.linalg.svd(f_t.T, full_matrices=False)
    p_s, cosine, p_t = np.linalg.svd(u_s.T @ u_t, full_matrices=False)
    return np.sqrt(1 - cosine**2).sum(), np.linalg.norm(np.abs(p_s) - np.abs(p_t.T))


def differences(f, x, i, step=1e-6):
    move = np.zeros_like(x)
    move[i] = step
    return (np.array(f(x + move)) - np.array(f(x - move))) / (2 * step)


def test_they_are_the_published_ones_and_have_their_derivative():
    np.testing.assert_allclose(PIECES(F_S, F_T), published(F_S, F_T), rtol=1e-9)
    of_s, of_t = SLOPES(F_S, F_T)
    for i in ((0, 0), (3, 2), (1, 8)):
        np.testing.assert_allclose(of_s[0][i], differences(lambda x: published(x, F_T), F_S, i)[0], rtol=1e-6)
        np.testing.assert_allclose(of_t[0][i], differences(lambda x: published(F_S, x), F_T, i)[0], rtol=1e-6)
        np.testing.assert_allclose(
            of_s[1][i], differences(lambda x: published(x, F_T), F_S, i)[1], rtol=0.02, atol=2e-3
        )
        np.testing.assert_allclose(
            of_t[1][i], differences(lambda x: published(F_S, x), F_T, i)[1], rtol=0.02, atol=2e-3
        )


def test_of_batches_of_different_sizes_as_many_angles_are_taken_as_the_smaller_has():
    f_t = RNG.normal(size=(5, 9))
    found, of_s = PIECES(F_S, f_t), SLOPES(F_S, f_t)[0]
    u_t = np.linalg.svd(f_t.T, full_matrices=False)[0]

    def by_hand(x):
        p, cos, q = np.linalg.svd(np.linalg.svd(x.T, full_matrices=False)[0].T @ u_t, full_matrices=False)
        return np.sqrt(1 - cos**2).sum(), np.linalg.norm(np.pad(np.abs(p), ((0, 1), (0, 0))) - np.abs(q.T))

    np.testing.assert_allclose(found, by_hand(F_S), rtol=1e-9)
    slopes = differences(by_hand, F_S, (2, 3))
    np.testing.assert_allclose(of_s[0][2, 3], slopes[0], rtol=1e-6)
    np.testing.assert_allclose(of_s[1][2, 3], slopes[1], rtol=0.02, atol=2e-3)
    np.testing.assert_allclose(PIECES(f_t, F_S), found, rtol=1e-9)


def test_the_sines_have_their_derivative_where_singular_values_and_angles_meet():
    """Orthonormal rows, and a target whose plane is turned by one angle from them: every value is there twice."""
    q = np.linalg.qr(RNG.normal(size=(9, 9)))[0].T
    f_s, f_t = q[:2], np.cos(0.4) * q[:2] + np.sin(0.4) * q[2:4]
    assert sum_of_sines(f_s, f_t) == pytest.approx(2 * np.sin(0.4))
    found = jax.jit(jax.grad(sum_of_sines))(f_s, f_t)
    for i in ((0, 0), (1, 5)):
        np.testing.assert_allclose(found[i], differences(lambda x: [published(x, f_t)[0]], f_s, i)[0], rtol=1e-5)
    assert all(np.isfinite(slope).all() for slope in SLOPES(f_s, f_t))


def test_equal_spans_have_no_distance_whatever_their_scale():
    turned = RNG.normal(size=(4, 4)) @ F_S
    assert PIECES(F_S, 100 * turned)[0] == pytest.approx(0, abs=1e-12)
    assert PIECES(F_S, F_S)[1] == pytest.approx(0, abs=1e-6)
    assert all(np.isfinite(slope).all() for slope in SLOPES(F_S, F_S))


HARD = {
    "dead features": 0 * RANDOM,
    "a constant": 0 * RANDOM + 3,
    "one dead domain": RANDOM * np.array([0.0, 1.0])[:, None, None],
    "an example twice": RANDOM[:, [*range(11), 0]],
    "the same": RANDOM[[0, 0]],
    **{f"scale {scale:g}": scale * RANDOM for scale in (1e-12, 1e-3, 1e5, 1e12)},
}


def test_features_of_any_scale_dead_or_constant_have_finite_values_and_gradients():
    with jax.enable_x64(False):
        for name, f in HARD.items():
            found, slopes = PIECES(*np.float32(f)), SLOPES(*np.float32(f))
            assert np.isfinite(found).all(), name
            assert 0 <= found[0] <= 12, name
            assert all(np.isfinite(slope).all() for slope in slopes), name
            if name.startswith("scale"):
                np.testing.assert_allclose(found[0], published(*RANDOM)[0], rtol=1e-4)
    assert PIECES(*HARD["an example twice"])[0] < 11  # of as many angles


def test_a_batch_that_spans_everything_is_refused():
    with pytest.raises(UserError, match="Batches of 9 and 4 examples span all 9 features"):
        subspace_distance(RNG.normal(size=(9, 9)), F_T)


def test_the_derivative_of_singular_vectors_is_halved_at_the_gap_that_is_called_a_tie():
    """x = diag(1, s) with s^2 so near to 1: an exact derivative of the vectors is 1 / gap, this one is half of it."""
    s = np.sqrt((1 - TIE) / (1 + TIE))
    turn = jnp.array([[0.0, 1.0], [0.0, 0.0]])
    _, (du, ds, _) = jax.jvp(svd, (jnp.diag(jnp.array([1.0, s])),), (turn,))
    gap = 1 - s**2
    np.testing.assert_allclose(np.abs(du[1, 0]), s / gap / 2, rtol=1e-6)
    np.testing.assert_allclose(ds, [0, 0], atol=1e-12)
