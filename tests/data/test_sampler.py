"""Batches without a memory: every example once an epoch, a pure function of seed and step."""

import functools

import hypothesis
import hypothesis.strategies as st
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.data.pipeline import host_sampler
from tl_jax.data.pipeline.sampler import ROUNDS, indices, permute

KEY = jax.random.key(0)


@functools.cache
def drawer(batch, size):
    return jax.jit(jax.vmap(lambda key, step: indices(key, step, batch, size), (None, 0)))


def rows(batch, size, steps, key=KEY, first=0):
    """Rows of consecutive steps, one after the other."""
    return np.asarray(drawer(batch, size)(key, first + jnp.arange(steps))).ravel()


@hypothesis.given(st.one_of(st.integers(1, 70), st.integers(1, 5000)), st.integers(0, 2**32 - 1))
@hypothesis.settings(max_examples=12, deadline=None)
def test_a_permutation_of_any_size_is_a_bijection(size, seed):
    key = np.tile(np.random.default_rng(seed).integers(0, 2**32, ROUNDS, dtype=np.uint32), (size, 1))
    np.testing.assert_array_equal(np.sort(permute(jnp.arange(size), size, jnp.asarray(key))), np.arange(size))


@pytest.mark.parametrize(("batch", "size"), [(1, 1), (5, 5), (4, 12), (4, 13), (12, 13), (64, 1000)])
def test_every_example_is_seen_once_an_epoch_and_epochs_differ(batch, size):
    seen = rows(batch, size, 6 * size // np.gcd(batch, size))
    epochs = seen[: 6 * size].reshape(6, size)
    np.testing.assert_array_equal(np.sort(epochs, axis=1), np.tile(np.arange(size), (6, 1)))
    if size > 4:
        assert len({tuple(epoch) for epoch in epochs}) == 6


def test_rows_depend_on_key_and_step_alone():
    whole = rows(4, 13, 20)
    np.testing.assert_array_equal(rows(4, 13, 5, first=15), whole[60:])
    np.testing.assert_array_equal(indices(KEY, jnp.int32(7), 4, 13), whole[28:32])
    assert (rows(4, 13, 20, key=jax.random.key(1)) != whole).any()
    many = {tuple(rows(13, 13, 1, key=jax.random.key(seed))) for seed in range(50)}
    assert len(many) == 50


def test_every_place_in_the_batch_meets_every_example_equally_often():
    # 3000 epochs of 8 examples: 375 expected in each cell; 63 degrees of freedom, chi-square about 63 +- 11.
    seen = rows(8, 8, 3000).reshape(3000, 8)
    counts = np.stack([np.bincount(column, minlength=8) for column in seen.T])
    assert np.square(counts - 375).sum() / 375 < 130


def test_neighbours_in_the_set_are_no_neighbours_in_the_batch():
    order = rows(1000, 1000, 1)
    assert (np.abs(np.diff(order)) == 1).mean() < 0.02
    assert abs(np.corrcoef(order, np.arange(1000))[0, 1]) < 0.15


def test_long_runs_over_large_sets_stay_exact():
    # Here step * batch has left 32 bits; step 2109375 is the first of epoch 720.
    size, batch = 3_000_000, 1024
    seen = rows(batch, size, 500, first=2_109_375)
    assert len(np.unique(seen)) == len(seen)
    assert seen.min() >= 0
    assert seen.max() < size
    late = rows(10, 1000, 100, first=2**31 - 200)
    np.testing.assert_array_equal(np.bincount(late, minlength=1000).sum(), 1000)
    assert late.min() >= 0


def test_a_batch_larger_than_the_set_is_refused_with_both_numbers():
    with pytest.raises(ValueError, match="29 examples, the batch is 32"):
        indices(KEY, jnp.int32(0), 32, 29)


@pytest.mark.parametrize(
    ("batch", "size", "first"), [(1, 1, 0), (4, 12, 7), (12, 13, 100), (1024, 3_000_000, 2_109_370)]
)
def test_the_host_draws_the_same_rows(batch, size, first):
    words = np.asarray(jax.random.key_data(KEY))
    found = host_sampler.rows(words, first + np.arange(9), batch, size)
    np.testing.assert_array_equal(found, rows(batch, size, 9, first=first))
