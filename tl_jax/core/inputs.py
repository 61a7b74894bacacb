"""Stored examples as a network takes them: to floats, and images in patches that may be hidden."""

import math

import jax
import jax.numpy as jnp

from tl_jax.core.errors import UserError
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


def patch_grid(h: int, w: int) -> tuple[int, int]:
    """Rows and columns of patches for hiding: 4, and 8 from 64 px on. Raises UserError if they do not divide h, w."""
    parts = 8 if min(h, w) >= 64 else 4
    if h % parts or w % parts:
        raise UserError(f"Images of {h}x{w} px do not divide into {parts}x{parts} patches to hide: resize them.")
    return parts, parts


def hidden(key: Array, h: int, w: int) -> Array:
    """Which patches of one image are hidden, five of eight, drawn without replacement: [patches] bool, row by row."""
    count = math.prod(patch_grid(h, w))
    return jax.random.permutation(key, count) < count * 5 // 8


def patches(x: Array) -> Array:
    """Images [n, h, w, c] -> their patches in the order of `hidden`, [n, patches, values of one]."""
    n, h, w, c = x.shape
    rows, columns = patch_grid(h, w)
    x = x.reshape(n, rows, h // rows, columns, w // columns, c)
    return x.transpose(0, 1, 3, 2, 4, 5).reshape(n, rows * columns, -1)
