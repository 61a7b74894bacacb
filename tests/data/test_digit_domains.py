"""Digits turned and coloured by their spec."""

import numpy as np
import pytest
from PIL import Image

from tl_jax.core.errors import UserError
from tl_jax.data.embedded import digits
from tl_jax.data.load import load


@pytest.fixture(scope="module")
def handwritten():
    return digits.handwritten()


def test_a_digit_is_turned_counterclockwise_and_coloured_in_every_split(handwritten):
    found = load("digits:handwritten?rotate=90&ink=red")
    assert found.name == "digits:handwritten?rotate=90&ink=red"
    for name, part in handwritten.splits.items():
        np.testing.assert_array_equal(found.splits[name].y, part.y)
        np.testing.assert_array_equal(found.splits[name].x[..., 0], np.rot90(part.x[..., 0], axes=(1, 2)))
        np.testing.assert_array_equal(
            found.splits[name].x[..., 1], np.rot90(part.x[..., 1].astype(int), axes=(1, 2)) * 64 // 255
        )


def test_an_angle_that_moves_no_pixel_onto_another_is_interpolated(handwritten):
    found = load("digits:handwritten?rotate=30&size=8").test.x
    want = Image.fromarray(handwritten.test.x[5]).rotate(30, Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(load("digits:handwritten?rotate=30").test.x[5], np.asarray(want))
    assert found.shape == (447, 8, 8, 3)


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("digits:handwritten?ink=pink", "Unknown ink 'pink'.*magenta"),
        ("digits:handwritten?rotate=-15", "whole number of at least 0"),
        ("digits:handwritten?rotate=400", "at most 359"),
        ("digits:handwritten_angle?rotate=10", "its labels are values"),
        ("digits:handwritten?turn=10", "option of digits 'turn'.*rotate, ink"),
    ],
)
def test_what_cannot_be_asked_is_said(spec, said):
    with pytest.raises(UserError, match=said):
        load(spec)
