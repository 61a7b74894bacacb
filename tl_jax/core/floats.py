"""From stored examples to floats."""

import jax.numpy as jnp

from tl_jax.core.types import Array


def to_float(x: Array) -> Array:
    """uint8 images to [-1, 1], int16 sound to [-1, 1); token ids (int32, int64) stay int32; the rest to float32."""
    if x.dtype == jnp.uint8:
        return x.astype(jnp.float32) / 127.5 - 1.0
    if x.dtype == jnp.int16:
        return x.astype(jnp.float32) / 32768
    return x.astype(jnp.int32 if jnp.issubdtype(x.dtype, jnp.signedinteger) else jnp.float32)
