"""Other labels for the handwritten digits."""

import numpy as np
import pytest

from tl_jax.data import digit_tasks, digits


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
