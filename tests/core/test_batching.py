"""Rows drawn from a whole set."""

import numpy as np

from tl_jax.core.batching import some


def test_some_rows_are_different_rows_in_one_order_and_all_of_a_small_set():
    assert sorted(some(10, 20)) == list(range(10))
    np.testing.assert_array_equal(some(1000, 50), some(1000, 200)[:50])
    assert len(set(some(1000, 200).tolist())) == 200


def test_every_class_is_among_them_whether_labels_are_sorted_or_repeat_with_a_period():
    for y in (np.arange(10_000) // 1000, np.arange(10_000) % 10):
        shares = np.bincount(y[some(10_000, 1000)], minlength=10) / 1000
        assert (abs(shares - 0.1) < 0.05).all()
