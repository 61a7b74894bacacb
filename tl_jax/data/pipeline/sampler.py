"""Which examples a step sees: a pure function of (seed, step), so that resuming needs only the step.

An epoch is a permutation of the set; batches run on across its end, so no example is dropped.
The permutation is a Feistel network evaluated at the positions of one batch: O(batch) work and no state,
where drawing the whole permutation each step would sort the set.
"""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array

ROUNDS = 6


def _mix(x: Array) -> Array:
    """A 32-bit finaliser (Murmur3): every input bit reaches every output bit."""
    x = (x ^ (x >> 16)) * jnp.uint32(0x85EBCA6B)
    x = (x ^ (x >> 13)) * jnp.uint32(0xC2B2AE35)
    return x ^ (x >> 16)


def permute(position: Array, size: int, key: Array) -> Array:
    """The image of each position [n] in 0..size-1 under a permutation given by a key per position [n, R].

    position, result: int32 [n]; key: uint32 [n, ROUNDS]. Bijective for equal keys.
    """
    half = max(1, (max(size - 1, 1).bit_length() + 1) // 2)
    mask = jnp.uint32((1 << half) - 1)

    def feistel(x: Array) -> Array:
        left, right = x >> half, x & mask
        for i in range(ROUNDS):
            left, right = right, left ^ (_mix(right + key[:, i]) & mask)
        return (left << half) | right

    # The network permutes the next power of four; walking on from values outside 0..size-1 stays bijective.
    first = feistel(position.astype(jnp.uint32))
    inside = jax.lax.while_loop(lambda x: jnp.any(x >= size), lambda x: jnp.where(x >= size, feistel(x), x), first)
    return inside.astype(jnp.int32)


def _divided_product(inner: Array, batch: int, size: int) -> tuple[Array, Array]:
    """Quotient and remainder of inner * batch by size, where inner < size; also where the product leaves 32 bits."""
    if size * batch < 2**31:
        return inner * batch // size, inner * batch % size
    quotient = remainder = jnp.zeros_like(inner)
    for bit in f"{batch:b}":
        quotient, remainder = 2 * quotient, 2 * remainder.astype(jnp.uint32) + int(bit) * inner.astype(jnp.uint32)
        quotient, remainder = quotient + (remainder // size).astype(jnp.int32), (remainder % size).astype(jnp.int32)
    return quotient, remainder


def indices(key: Array, step: Array, batch: int, size: int) -> Array:
    """Rows [batch] of a set of `size` examples for one step.

    key: the stream's random key; step: int scalar. Each epoch visits every row once, in an order of its own.
    Raises ValueError if the batch is larger than the set.
    """
    if batch > size:
        raise ValueError(f"The set has {size} examples, the batch is {batch}: no full batch.")
    # step * batch would overflow int32 on long runs: keep (epoch, offset) apart.
    per_epoch, rest = divmod(size, batch)
    if rest == 0:
        epoch = jnp.full((batch,), step // per_epoch)
        offset = (step % per_epoch) * batch + jnp.arange(batch)
    else:
        # A cycle of `size` steps holds exactly `batch` epochs.
        epochs, first = _divided_product(step % size, batch, size)
        offset = first + jnp.arange(batch)
        epoch, offset = step // size * batch + epochs + offset // size, offset % size
    words = jax.random.key_data(key).astype(jnp.uint32).reshape(-1)
    seeds = _mix(words[0] ^ _mix(words[-1] + epoch.astype(jnp.uint32) * jnp.uint32(0x9E3779B9)))
    rounds = jnp.arange(1, ROUNDS + 1, dtype=jnp.uint32) * jnp.uint32(0x7F4A7C15)
    return permute(offset, size, _mix(seeds[:, None] + rounds[None, :]))
