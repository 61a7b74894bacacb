"""Matrices taken apart: as NumPy does, with derivatives that are right, and one after the other on a CPU."""

import re
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tl_jax.core import matrices

RNG = np.random.default_rng(0)
TALL = RNG.normal(size=(3, 6, 4))
POSITIVE = np.einsum("kij,kil->kjl", TALL, TALL) + np.eye(4)
PACKAGE = Path(matrices.__file__).parents[1]


def summed(of, *fixed):
    """A scalar of what a function gives, in which every entry counts differently."""

    def scalar(x):
        found = jax.tree.leaves(of(x, *fixed))
        weigh = lambda a: (a * jnp.cos(jnp.arange(a.size, dtype=a.dtype)).reshape(a.shape)).sum()
        return sum(weigh(a) for a in found)

    return scalar


def test_a_batch_is_taken_apart_as_by_numpy(double):
    right = RNG.normal(size=(3, 4))
    np.testing.assert_allclose(jax.vmap(matrices.singular_values)(TALL), np.linalg.svd(TALL, compute_uv=False))
    u, s, v = jax.vmap(matrices.svd)(TALL)
    np.testing.assert_allclose(jnp.einsum("kis,ks,kjs->kij", u, s, v), TALL, atol=1e-12)
    np.testing.assert_allclose(jax.vmap(matrices.eigh)(POSITIVE)[0], np.linalg.eigh(POSITIVE)[0])
    np.testing.assert_allclose(jax.vmap(matrices.cholesky)(POSITIVE), np.linalg.cholesky(POSITIVE))
    np.testing.assert_allclose(jax.vmap(matrices.inverse)(POSITIVE), np.linalg.inv(POSITIVE))
    for solve in (matrices.solve, matrices.solve_positive):
        np.testing.assert_allclose(
            jax.vmap(solve)(POSITIVE, right), np.linalg.solve(POSITIVE, right[..., None])[..., 0]
        )


@pytest.mark.parametrize(("of", "x"), [(matrices.singular_values, TALL), (matrices.inverse, POSITIVE)])
def test_derivatives_of_a_batch_and_theirs_are_those_of_jax(of, x, double):
    theirs = {"singular_values": lambda a: jnp.linalg.svd(a, compute_uv=False), "inverse": jnp.linalg.inv}[of.__name__]
    for order in (jax.grad, lambda f: jax.grad(lambda a: jnp.square(jax.grad(f)(a)).sum())):
        ours, expected = (jax.jit(jax.vmap(order(summed(one))))(x) for one in (of, theirs))
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6)


@pytest.mark.skipif(not matrices.WAITS, reason="this jaxlib takes a batch apart in one thread")
@pytest.mark.parametrize("of", [matrices.svd, matrices.eigh, matrices.cholesky, matrices.inverse])
def test_matrices_of_many_trials_come_one_after_the_other_on_a_cpu(of):
    said = str(jax.make_jaxpr(jax.vmap(of))(POSITIVE.astype(np.float32)))
    assert "scan" in said
    assert not re.search(r"f32\[3,4,4\] = (svd|eigh|cholesky|triangular_solve)", said)


def test_lapack_is_called_here_alone():
    calls = re.compile(r"(?:jnp|jax\.numpy|jax\.scipy|lax)\.linalg\b(?!\.norm\b).*")
    found = {path.name: calls.findall(path.read_text()) for path in PACKAGE.rglob("*.py")}
    assert [name for name, some in found.items() if some] == ["matrices.py"]
