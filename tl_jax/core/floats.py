"""From stored examples to floats."""

import jax.numpy as jnp

from tl_jax.core.types import Array, Network


def to_float(x: Array) -> Array:
    """uint8 images to [-1, 1], int16 sound to [-1, 1); token ids (int32, int64) stay int32; the rest to float32."""
    if x.dtype == jnp.uint8:
        return x.astype(jnp.float32) / 127.5 - 1.0
    if x.dtype == jnp.int16:
        return x.astype(jnp.float32) / 32768
    return x.astype(jnp.int32 if jnp.issubdtype(x.dtype, jnp.signedinteger) else jnp.float32)


def accepting_bytes(network: Network) -> Network:
    """The network with examples as they are stored, such as uint8 images, allowed as input."""
    return Network(
        lambda key, x: network.init(key, to_float(x)),
        lambda params, stats, x, **how: network.apply(params, stats, to_float(x), **how),
    )
