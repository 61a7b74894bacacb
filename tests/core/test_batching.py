"""Rows drawn from a whole set, and batches of short examples that cost less."""

import numpy as np

from tl_jax.core.batching import batch_of, ends, in_batches, ladder, sent_by_length, sent_in_batches, some, usual_batch


def test_some_rows_are_different_rows_in_one_order_and_all_of_a_small_set():
    assert sorted(some(10, 20)) == list(range(10))
    np.testing.assert_array_equal(some(1000, 50), some(1000, 200)[:50])
    assert len(set(some(1000, 200).tolist())) == 200


def test_every_class_is_among_them_whether_labels_are_sorted_or_repeat_with_a_period():
    for y in (np.arange(10_000) // 1000, np.arange(10_000) % 10):
        shares = np.bincount(y[some(10_000, 1000)], minlength=10) / 1000
        assert (abs(shares - 0.1) < 0.05).all()


def test_lengths_are_few_whole_eights_below_the_longest():
    assert ladder(256) == (32, 64, 128, 192, 256)
    assert ladder(100) == (16, 32, 56, 80, 100)
    assert ladder(12) == (12,)


def test_short_examples_go_first_in_shorter_batches_and_come_back_in_their_order():
    rng = np.random.default_rng(0)
    x = rng.integers(1, 9, (23, 64)) * (np.arange(64) < rng.integers(0, 65, (23, 1)))
    x[4], x[5, 1:], x[5, 0] = 0, 0, 3
    assert ends(x)[[4, 5]].tolist() == [0, 1]
    assert ends(x, chunk=3).tolist() == [max(np.flatnonzero(row), default=-1) + 1 for row in x]
    seen = []

    def f(part):
        seen.append(part.shape)
        return {"sum": part.sum(1)[None], "first": part[None, :, :2]}

    got = sent_by_length(f, x, ladder(64), batch=5, axis=1)
    assert [n for n, _ in seen] == [5] * 5
    lengths = [length for _, length in seen]
    assert lengths == sorted(lengths)
    assert set(lengths) <= {16, 32, 48, 64}
    assert lengths[0] < 64
    for name, a in sent_in_batches(f, x, batch=5, axis=1).items():
        np.testing.assert_array_equal(got[name], a)
    seen.clear()
    sent_by_length(f, x, (), batch=5, axis=1)
    assert {length for _, length in seen} == {64}


def test_a_small_set_has_a_batch_of_its_own_size_and_a_large_one_the_usual():
    assert [batch_of(n) for n in (1, 2, 3, 16, 17)] == [1, 2, 4, 16, 32]
    assert batch_of(10_000) == usual_batch()


def test_without_a_size_batches_are_the_usual_ones():
    x = np.arange(3.0 * usual_batch() - 5, dtype=np.float32)[:, None]
    sizes = []

    def f(part):
        sizes.append(len(part))
        return 2 * part

    np.testing.assert_array_equal(sent_in_batches(f, x), 2 * x)
    assert sizes == 3 * [usual_batch()]
    np.testing.assert_array_equal(in_batches(f, x), 2 * x)
    assert sizes[3:] == [usual_batch()]
