"""Activations computed again: the same numbers, and less memory by the compiler's own count."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from tl_jax.fine_tuning.adapters import with_adapters
from tl_jax.models.networks import build
from tl_jax.models.parts.layers import BatchNorm, Dropout
from tl_jax.models.parts.remat import compiler_options, recomputing


class Block(nn.Module):
    @nn.compact
    def __call__(self, x, train, frozen):
        y = nn.gelu(nn.Dense(64, name="dense1")(x))
        return BatchNorm(name="norm1")(x + nn.Dense(16, name="dense2")(Dropout(0.5)(y, train)), train, frozen)


class Stack(nn.Module):
    @nn.compact
    def __call__(self, x, train, frozen):
        for i in range(4):
            x = Block(name=f"block{i}")(x, train, frozen)
        return x


@pytest.fixture(scope="module")
def compiled():
    """(parameters, x) and the compiled gradient of the plain network and of the other, with adapters."""
    plain = build(Stack(), 2)
    x = jnp.float32(np.random.default_rng(0).normal(size=(256, 16)))
    params, stats = with_adapters(plain, 2).init(jax.random.key(0), x)

    def of(made):
        def loss(params, x):
            out, after = with_adapters(made, 2).apply(params, stats, x, train=True, key=jax.random.key(1))
            return jnp.square(out.logits).mean(), after

        options = dict(compiler_options(True))
        return jax.jit(jax.value_and_grad(loss, has_aux=True), compiler_options=options).lower(params, x).compile()

    return (params, x), of(plain), of(recomputing(plain))


def test_gradients_and_statistics_are_those_of_the_plain_network(compiled):
    given, *both = compiled
    want, got = (one(*given) for one in both)
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-5), got, want)


def test_the_compiler_counts_less_memory(compiled):
    _, *both = compiled
    plain, again = (one.memory_analysis().temp_size_in_bytes for one in both)
    assert again < 0.7 * plain, (again, plain)
