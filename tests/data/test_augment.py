"""Views of images: shapes, ranges, keys, and examples that do not touch each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.data.augment import AUGMENTATIONS, augment, to_float

KEY = jax.random.key(0)
X = np.random.default_rng(0).uniform(-1, 1, (6, 8, 12, 3)).astype(np.float32)
VIEW = {kind: jax.jit(lambda key, x, kind=kind: augment(kind, key, x)) for kind in AUGMENTATIONS}


def test_bytes_become_floats_between_minus_one_and_one_and_floats_stay():
    np.testing.assert_allclose(to_float(np.array([0, 127, 255], np.uint8)), [-1, -1 / 255, 1], atol=1e-6)
    np.testing.assert_array_equal(to_float(X), X)
    assert to_float(np.array([3, 300])).dtype == jnp.float32
    assert to_float(np.array([3, 300])).tolist() == [3, 300]


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_a_view_keeps_shape_type_and_range_and_depends_on_its_key(kind):
    view = VIEW[kind](KEY, X)
    assert (view.shape, view.dtype) == (X.shape, X.dtype)
    assert np.isfinite(view).all()
    assert np.abs(view).max() <= 1
    np.testing.assert_array_equal(VIEW[kind](KEY, X), view)
    assert (VIEW[kind](jax.random.key(1), X) != view).any()
    # Random images stay within the range; white and black ones do so only where values are clipped.
    assert np.abs(VIEW[kind](KEY, np.sign(X))).max() <= 1


@pytest.mark.parametrize("kind", AUGMENTATIONS)
def test_examples_are_augmented_independently(kind):
    view = np.asarray(VIEW[kind](KEY, X))
    changed = X.copy()
    changed[2] = -changed[2]
    rest = [0, 1, 3, 4, 5]
    other = np.asarray(VIEW[kind](KEY, changed))
    np.testing.assert_array_equal(other[rest], view[rest])
    assert (other[2] != view[2]).any()
    # And the same image twice is not the same view twice.
    twice = np.asarray(VIEW[kind](KEY, np.repeat(X[:1], 6, axis=0)))
    assert len(np.unique(twice.reshape(6, -1), axis=0)) > 1


def test_the_weak_view_is_a_shift_of_up_to_an_eighth_with_the_edge_repeated():
    x = np.random.default_rng(1).normal(size=(64, 16, 16, 1)).astype(np.float32)
    padded = np.pad(x, ((0, 0), (2, 2), (2, 2), (0, 0)), mode="edge")
    shifts = {(i, j): padded[:, i : i + 16, j : j + 16] for i in range(5) for j in range(5)}
    view = np.asarray(jax.jit(lambda x: augment("weak", KEY, x))(x))
    found = [[by for by, moved in shifts.items() if (moved[n] == view[n]).all()] for n in range(64)]
    assert all(len(by) == 1 for by in found)
    assert {i for ((i, _),) in found} == {j for ((_, j),) in found} == set(range(5))


def test_the_strong_view_erases_a_square_of_one_value():
    view = np.asarray(VIEW["strong"](KEY, X))
    for image in view:
        windows = [image[i : i + 2, j : j + 2] for i in range(7) for j in range(11)]
        assert any((window == window.flat[0]).all() for window in windows)


def test_no_view_changes_nothing_and_other_views_are_for_images_only():
    assert augment("none", KEY, X) is X
    with pytest.raises(ValueError, match=r"weak view is defined for images .* shape \(6, 5\)"):
        augment("weak", KEY, jnp.zeros((6, 5)))
