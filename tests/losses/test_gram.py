"""The inverse Gram matrix against NumPy, and its derivative against differences."""

import jax
import numpy as np
import pytest

from tl_jax.losses.spectra.inverse_gram import inverse_gram_alignment

pytestmark = pytest.mark.usefixtures("double")

RNG = np.random.default_rng(0)
SHAPES = {"fewer examples than features": (6, 9), "more": (12, 5)}


def pair(shape):
    return RNG.normal(size=shape), RNG.normal(size=shape) + 0.3


def straight(f_s, f_t, threshold):
    """Angle, scale and rank as the paper has them: singular values, a cut inverse, column by column."""
    grams = [a.T @ a for a in (np.concatenate([np.ones((len(f), 1)), f], 1) for f in (f_s, f_t))]
    spectra = [np.linalg.svd(gram, compute_uv=False) for gram in grams]

    def last(values):
        share = np.cumsum(values) / values.sum()
        return np.flatnonzero(share <= max(threshold, share[1]))[-1]

    k = max(map(last, spectra))
    inverses = []
    for gram in grams:
        values, q = np.linalg.eigh(gram)
        inverses.append(sum(np.outer(q[:, -1 - i], q[:, -1 - i]) / values[-1 - i] for i in range(k)))
    cosines = [a @ b / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(*(x.T for x in inverses), strict=True)]
    return np.abs(1 - np.array(cosines)).mean(), np.linalg.norm(spectra[0][:k] - spectra[1][:k]) / k, k


@pytest.mark.parametrize("threshold", [0.5, 0.9, 0.99])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_it_is_the_paper_s(shape, threshold):
    f_s, f_t = pair(shape)
    np.testing.assert_allclose(inverse_gram_alignment(f_s, f_t, threshold), straight(f_s, f_t, threshold), rtol=1e-9)


@pytest.mark.parametrize("name", ["angle", "scale"])
@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_its_derivative_is_that_of_differences(shape, name):
    f_s, f_t = pair(shape)
    f = jax.jit(lambda x: getattr(inverse_gram_alignment(x, f_t, 0.9), name))
    slopes = jax.grad(f)(f_s)
    for i in ((0, 0), (3, 2), (5, 4)):
        step = np.zeros(shape)
        step[i] = 1e-6
        np.testing.assert_allclose(slopes[i], (f(f_s + step) - f(f_s - step)) / 2e-6, rtol=1e-4, atol=1e-9)


def test_equal_domains_are_aligned_and_dead_features_do_no_harm():
    f, other = pair((6, 9))
    f[:, 2] = other[:, 2] = 0
    found = inverse_gram_alignment(f, f, 0.9)
    np.testing.assert_allclose([found.angle, found.scale], [0, 0], atol=1e-12)
    for there in (f, other):
        slopes = jax.grad(lambda x, there=there: sum(inverse_gram_alignment(x, there, 0.9)[:2]))(f)
        assert np.isfinite(slopes).all()


RANDOM = np.random.default_rng(1).normal(size=(2, 16, 32)) + np.array([0.0, 0.3])[:, None, None]
HARD = {
    "dead features": np.zeros((2, 16, 32)),
    "a constant": np.full((2, 16, 32), 3.0),
    "nearly a constant": 1000 + 1e-4 * RANDOM,
    "one dead domain": RANDOM * np.array([0.0, 1.0])[:, None, None],
    "half of the features dead in one domain": np.where(np.arange(64).reshape(2, 1, 32) < 16, 0, RANDOM),
    **{f"scale {scale:g}": scale * RANDOM for scale in (1e-12, 1e-5, 1e-3, 1e3, 1e5, 1e8)},
}


@pytest.fixture(scope="module")
def single():
    """(angle, scale) and the gradients of their sum in single precision, compiled once."""
    f = lambda s, t: (sum(found := inverse_gram_alignment(s, t, 0.9)[:2]), found)
    return jax.jit(jax.value_and_grad(f, (0, 1), has_aux=True))


@pytest.mark.parametrize("name", HARD)
def test_features_of_any_scale_dead_or_constant_have_finite_values_and_gradients(single, name):
    with jax.enable_x64(False):
        (_, (angle, scale)), slopes = single(*np.float32(HARD[name]))
    assert 0 <= angle <= 2
    assert 0 <= scale < np.inf
    assert all(np.isfinite(slope).all() for slope in slopes)
    if name.startswith("scale") and "e-" not in name:
        assert np.abs(slopes[0]).max() > 0


@pytest.mark.parametrize("factor", [1e-2, 1.0, 1e2, 1e3, 1e5])
def test_single_precision_agrees_with_double_at_every_scale_that_it_can_tell_apart(single, factor):
    (_, want), _ = single(*(factor * RANDOM))
    with jax.enable_x64(False):
        (_, found), _ = single(*np.float32(factor * RANDOM))
    np.testing.assert_allclose(found, want, rtol=2e-3)


def test_small_features_have_as_many_directions_as_large_ones():
    f_s, f_t = (0.05 * x for x in pair((12, 5)))
    found = inverse_gram_alignment(f_s, f_t, 0.9999)
    np.testing.assert_allclose(found, straight(f_s, f_t, 0.9999), rtol=1e-6)
    assert found.rank > 3  # most of their eigenvalues are under 1
