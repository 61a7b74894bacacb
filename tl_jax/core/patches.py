"""Images of which patches are hidden: what is hidden by which key, and the patches themselves."""

import math

import jax

from tl_jax.core.errors import UserError
from tl_jax.core.types import Array


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
