"""Images as a published network takes them: of its size, on its scale."""

import jax
import jax.numpy as jnp

from tl_jax.core.errors import UserError
from tl_jax.core.types import Array
from tl_jax.models.parts.recipe import Pixels


def rescale(x: Array, pixels: Pixels) -> Array:
    """((x + 1) / 2 - mean) / std for images x [n, h, w, 1 or 3] in [-1, 1]; grey ones get three channels.

    Before that they are brought to the side that `pixels` says, if any. Raises UserError for anything else.
    """
    if x.ndim != 4 or x.shape[-1] not in (1, len(pixels.mean)):
        raise UserError(
            f"This network takes images [n, h, w, 1 or {len(pixels.mean)}], not {list(x.shape)}. "
            "For other shapes use mlp."
        )
    x = sized(x.astype(jnp.float32), pixels) if pixels.size else x
    mean, std = (jnp.array(v, jnp.float32).reshape(1, 1, 1, -1) for v in (pixels.mean, pixels.std))
    return (x.astype(jnp.float32) * 0.5 + (0.5 - mean)) / std


def sized(x: Array, pixels: Pixels) -> Array:
    """x [n, h, w, c] -> [n, size, size, c], cubic (a = -1/2, with antialiasing, as Pillow's), within [-1, 1].

    crop: the shorter side is brought to the size and the middle of the longer one kept; else both are brought to it.
    """
    n, h, w, c = x.shape
    size = pixels.size
    if (h, w) == (size, size):
        return x
    tall, wide = (max(size, size * side // min(h, w)) if pixels.crop else size for side in (h, w))
    x = jnp.clip(jax.image.resize(x, (n, tall, wide, c), "cubic"), -1, 1)
    top, left = round((tall - size) / 2), round((wide - size) / 2)
    return x[:, top : top + size, left : left + size]
