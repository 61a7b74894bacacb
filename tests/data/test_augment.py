"""Views of images: shapes, ranges, keys, and examples that do not touch each other."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.core.errors import UserError
from tl_jax.data.views.augment import VIEWS, augment, modality, to_float

KEY = jax.random.key(0)
X = np.random.default_rng(0).uniform(-1, 1, (6, 8, 12, 3)).astype(np.float32)
RANDOM = [kind for kind in VIEWS["image"] if "rotate" not in kind]
VIEW = {kind: jax.jit(lambda key, x, kind=kind: augment(kind, key, x)) for kind in VIEWS["image"]}


def test_bytes_become_floats_between_minus_one_and_one_and_floats_stay():
    np.testing.assert_allclose(to_float(np.array([0, 127, 255], np.uint8)), [-1, -1 / 255, 1], atol=1e-6)
    np.testing.assert_array_equal(to_float(X), X)
    assert to_float(np.array([0.5, 2.0])).dtype == jnp.float32
    np.testing.assert_array_equal(to_float(np.array([-32768, 0, 16384], np.int16)), [-1, 0, 0.5])
    for ids in (np.array([3, 70000], np.int32), np.array([3, 70000])):
        assert to_float(ids).dtype == jnp.int32
        assert to_float(ids).tolist() == [3, 70000]


@pytest.mark.parametrize("kind", RANDOM)
def test_a_view_keeps_shape_type_and_range_and_depends_on_its_key(kind):
    view = VIEW[kind](KEY, X)
    assert (view.shape, view.dtype) == (X.shape, X.dtype)
    assert np.isfinite(view).all()
    assert np.abs(view).max() <= 1
    np.testing.assert_array_equal(VIEW[kind](KEY, X), view)
    assert (VIEW[kind](jax.random.key(1), X) != view).any()
    # Random images stay within the range; white and black ones do so only where values are clipped.
    assert np.abs(VIEW[kind](KEY, np.sign(X))).max() <= 1


@pytest.mark.parametrize("kind", RANDOM)
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


def test_the_masked_view_hides_five_of_eight_patches_and_needs_sides_that_divide():
    patches = np.asarray(VIEW["masked"](KEY, X)).reshape(6, 4, 2, 4, 3, 3).swapaxes(2, 3)
    gone = (patches == 0).all((3, 4, 5))
    assert (gone.sum((1, 2)) == 10).all()
    np.testing.assert_array_equal(patches[~gone], X.reshape(6, 4, 2, 4, 3, 3).swapaxes(2, 3)[~gone])
    with pytest.raises(UserError, match="Images of 10x12 px do not divide into 4x4 patches to hide: resize them"):
        augment("masked", KEY, np.zeros((2, 10, 12, 3), np.float32))
    with pytest.raises(UserError, match="8x8"):
        augment("masked", KEY, np.zeros((2, 68, 64, 3), np.float32))


def test_the_cropping_view_shows_a_part_of_the_image_and_turns_half_of_them():
    ramp = np.tile(np.linspace(-1, 1, 33, dtype=np.float32)[None, None, :, None], (256, 33, 1, 1))
    view = np.asarray(jax.jit(lambda x: augment("crop_flip", KEY, x))(ramp))[:, 0, :, 0]
    share = (view[:, -1] - view[:, 0]) / 2  # of the width that is seen, negative where it is turned
    np.testing.assert_allclose(np.diff(view, axis=1), np.repeat(share[:, None] / 16, 32, 1), atol=1e-5)
    assert 96 < (share < 0).sum() < 160
    assert np.sqrt(0.08 * 3 / 4) - 1e-3 < np.abs(share).min() < 0.4
    assert 0.95 < np.abs(share).max() <= 1


def test_the_turning_view_turns_by_ten_degrees_at_most_and_shifts_like_the_weak_one():
    bar = np.full((500, 33, 33, 1), -1.0, np.float32)
    bar[:, 14:19, 2:31] = 1.0
    rows, columns = np.indices((33, 33))
    seen = np.maximum(np.asarray(augment("shift_turn", KEY, jnp.asarray(bar)))[..., 0] + 1, 0)
    mass = seen.sum((1, 2))
    y, x = (seen * rows).sum((1, 2)) / mass, (seen * columns).sum((1, 2)) / mass
    dy, dx = rows - y[:, None, None], columns - x[:, None, None]
    angle = np.degrees(0.5 * np.arctan2(2 * (seen * dx * dy).sum((1, 2)), (seen * (dx**2 - dy**2)).sum((1, 2))))
    assert 8.5 < np.abs(angle).max() < 11
    assert abs(angle.mean()) < 1
    assert 3 < np.abs(y - 16).max() < 5


def test_the_flip_view_turns_half_of_the_images_and_shifts_like_the_weak_one():
    x = np.random.default_rng(1).normal(size=(64, 8, 8, 1)).astype(np.float32)
    view = np.asarray(jax.jit(lambda x: augment("flip", KEY, x))(x))
    windows = lambda image: [
        np.pad(image, ((1, 1), (1, 1), (0, 0)), mode="edge")[i : i + 8, j : j + 8] for i in range(3) for j in range(3)
    ]
    turned = [any((w == v).all() for w in windows(image[:, ::-1])) for image, v in zip(x, view, strict=True)]
    straight = [any((w == v).all() for w in windows(image)) for image, v in zip(x, view, strict=True)]
    assert all(a != b for a, b in zip(turned, straight, strict=True))
    assert 16 < sum(turned) < 48


@pytest.mark.parametrize("turns", [1, 2, 3])
def test_quarter_turns_are_those_of_numpy_and_need_squares(turns):
    x = X[:, :, :8]
    np.testing.assert_array_equal(VIEW[f"rotate{90 * turns}"](KEY, x), np.rot90(x, turns, (1, 2)))
    with pytest.raises(ValueError, match=r"only if it is square: got \(8, 12, 3\)"):
        augment(f"rotate{90 * turns}", KEY, X)


def test_the_colour_view_makes_some_images_grey():
    view = np.asarray(jax.jit(lambda x: augment("colour", KEY, x))(np.repeat(X * 0.2, 20, axis=0)))
    grey = (np.ptp(view, axis=3) < 1e-5).all((1, 2))
    assert 0.08 < grey.mean() < 0.35


def test_no_view_changes_nothing_and_an_unknown_one_lists_the_known():
    np.testing.assert_array_equal(augment("none", KEY, X), X)
    with pytest.raises(ValueError, match=r"no flip view of a vector \(6, 5\); there are none, weak, strong"):
        augment("flip", KEY, jnp.zeros((6, 5)))
    with pytest.raises(ValueError, match=r"2 to 4 dimensions .* shape \(6,\)"):
        augment("weak", KEY, jnp.zeros(6))


def test_the_kind_of_data_is_read_from_type_and_shape():
    kinds = {
        "image": (4, np.uint8),
        "sound": (2, np.int16),
        "text": (2, np.int32),
        "series": (3, float),
        "vector": (2, float),
    }
    for kind, (ndim, dtype) in kinds.items():
        assert modality(np.zeros((2,) * ndim, dtype)) == kind
    assert modality(np.zeros((2, 800), np.uint8)) == "vector"
    assert set(VIEWS) == set(kinds)
