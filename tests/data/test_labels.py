"""Few labels."""

import numpy as np
import pytest

from tl_jax.core.errors import UserError
from tl_jax.data.pipeline.rows import labelled_rows, repeated

Y = np.repeat([0, 1, 2], [20, 10, 5])


def test_every_class_has_its_number_and_smaller_choices_lie_in_larger_ones():
    few, more = labelled_rows(Y, per_class=2, seed=3), labelled_rows(Y, per_class=5, seed=3)
    assert np.bincount(Y[few]).tolist() == [2, 2, 2]
    assert np.bincount(Y[more]).tolist() == [5, 5, 5]
    assert set(few) < set(more)
    assert len(set(more)) == 15


def test_a_fraction_is_of_every_class_and_rounded_up():
    assert np.bincount(Y[labelled_rows(Y, fraction=0.1)]).tolist() == [2, 1, 1]
    assert sorted(labelled_rows(Y, fraction=1.0)) == list(range(35))


def test_a_fraction_of_values_is_of_all_of_them():
    few = labelled_rows(np.linspace(0, 1, 30, dtype=np.float32), fraction=0.25)
    assert len(set(few.tolist())) == 8


def test_the_choice_is_the_seeds():
    draw = lambda seed: labelled_rows(Y, per_class=3, seed=seed).tolist()
    assert draw(1) == draw(1) != draw(2)


def test_too_many_is_a_mistake():
    with pytest.raises(UserError, match="class number 2 of the target has 5"):
        labelled_rows(Y, per_class=6)


def test_repetition_is_even():
    assert np.bincount(repeated(np.array([4, 7, 9]), 8))[[4, 7, 9]].tolist() == [3, 3, 2]
