"""Other labels for the handwritten digits."""

import numpy as np
import pytest
from PIL import Image

from tl_jax.data.embedded import digit_tasks, digits


@pytest.fixture(scope="module")
def handwritten():
    return digits.handwritten()


@pytest.mark.parametrize("make", [digit_tasks.parity, digit_tasks.mass])
def test_the_images_and_splits_are_those_of_the_digits(make, handwritten):
    found = make()
    for name, part in handwritten.splits.items():
        np.testing.assert_array_equal(found.splits[name].x, part.x)
        assert len(found.splits[name].y) == len(part.y)


def test_parity_is_of_the_number(handwritten):
    found = digit_tasks.parity()
    assert found.classes == ("even", "odd")
    np.testing.assert_array_equal(found.test.y, handwritten.test.y % 2)


def test_mass_is_the_ink_standardised_by_the_training_split(handwritten):
    found = digit_tasks.mass()
    assert found.classes == ()
    assert found.train.y.dtype == np.float32
    np.testing.assert_allclose([found.train.y.mean(), found.train.y.std()], [0, 1], atol=1e-5)
    ink = handwritten.test.x.astype(float).sum((1, 2, 3))
    np.testing.assert_allclose(np.corrcoef(ink, found.test.y)[0, 1], 1, atol=1e-6)


@pytest.mark.parametrize("make", [digit_tasks.printed_angle, digit_tasks.handwritten_angle])
def test_an_angle_turned_back_gives_the_upright_digit(make):
    found = make()
    upright = getattr(digits, found.name.removeprefix("digits:").removesuffix("_angle"))()
    assert found.classes == ()
    for name, part in found.splits.items():
        assert part.x.shape == upright.splits[name].x.shape
        assert np.abs(part.y).max() <= 45
        assert np.abs(part.y).max() > 40
    middle = slice(5, 11)  # what a corner loses in turning does not come back
    of = lambda x: x[middle, middle].astype(float).ravel()
    likeness = []
    for x, y, was in zip(found.test.x[:50], found.test.y[:50], upright.test.x[:50], strict=True):
        back = np.asarray(Image.fromarray(x).rotate(-float(y), Image.Resampling.BILINEAR))
        likeness.append([np.corrcoef(of(image), of(was))[0, 1] for image in (back, x)])
    assert np.mean(likeness, 0)[0] > 0.9 > np.mean(likeness, 0)[1]
