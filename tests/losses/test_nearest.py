"""Neighbours by cosine: the loop, without oneself."""

import jax
import jax.numpy as jnp
import numpy as np

from tl_jax.core.types import Output
from tl_jax.losses.neighbours import nearest, remembered, replaced, unit

RNG = np.random.default_rng(0)
BANK = RNG.normal(size=(9, 3)).astype(np.float32)


def test_the_nearest_are_those_of_the_loop_and_never_oneself():
    rows = np.array([4, 0, 7])
    x = BANK[rows] + np.float32(0.1)
    found = nearest(unit(x), rows, unit(BANK), 3)
    length = lambda a: a / np.linalg.norm(a, axis=-1, keepdims=True)
    for i, row in enumerate(rows):
        cosine = length(BANK) @ length(x[i])
        others = sorted((j for j in range(9) if j != row), key=lambda j: -cosine[j])
        assert found[i].tolist() == others[:3]


def test_of_a_small_bank_all_others_are_taken_and_a_row_of_zeros_has_no_length():
    found = nearest(unit(BANK[:3]), np.arange(3), unit(BANK[:3]), 5)
    assert [set(row) for row in found.tolist()] == [{1, 2}, {0, 2}, {0, 1}]
    assert np.isfinite(jax.grad(lambda x: unit(x).sum())(jnp.zeros((2, 3)))).all()


def test_rows_are_replaced_and_no_others():
    out = Output(BANK, BANK)
    bank = remembered(out)
    np.testing.assert_allclose(bank["predictions"].sum(1), 1, rtol=1e-6)
    again = replaced(bank, np.array([2, 5]), {name: jnp.zeros_like(x[:2]) for name, x in bank.items()})
    for name, x in again.items():
        assert not x[jnp.array([2, 5])].any()
        np.testing.assert_array_equal(np.delete(x, [2, 5], 0), np.delete(bank[name], [2, 5], 0))
