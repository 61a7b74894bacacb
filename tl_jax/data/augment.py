"""Images on the device: uint8 [n, h, w, c] to floats in [-1, 1], and the weak and strong views."""

import jax
import jax.numpy as jnp

from tl_jax.core.types import Array


def to_float(x: Array) -> Array:
    """uint8 images to floats in [-1, 1]; anything else to float32 unchanged."""
    return x.astype(jnp.float32) / 127.5 - 1.0 if x.dtype == jnp.uint8 else x.astype(jnp.float32)


def _affine(x: Array, angle: Array, scale: Array, shift: Array) -> Array:
    """One image [h, w, c] rotated (radians), scaled and shifted (pixels, [2]) about its centre, bilinear."""
    h, w, _ = x.shape
    rows, columns = jnp.meshgrid(jnp.arange(h) - (h - 1) / 2, jnp.arange(w) - (w - 1) / 2, indexing="ij")
    cos, sin = jnp.cos(angle) / scale, jnp.sin(angle) / scale
    where = jnp.stack([cos * rows - sin * columns, sin * rows + cos * columns])
    where = where + jnp.array([(h - 1) / 2, (w - 1) / 2])[:, None, None] - shift[:, None, None]
    take = lambda plane: jax.scipy.ndimage.map_coordinates(plane, list(where), order=1, mode="nearest")
    return jax.vmap(take, in_axes=2, out_axes=2)(x)


def _weak(key: Array, x: Array) -> Array:
    """A shift of up to an eighth of the side, the edge repeated."""
    by = max(1, x.shape[0] // 8)
    padded = jnp.pad(x, ((by, by), (by, by), (0, 0)), mode="edge")
    start = jax.random.randint(key, (2,), 0, 2 * by + 1)
    return jax.lax.dynamic_slice(padded, (start[0], start[1], 0), x.shape)


def _strong(key: Array, x: Array) -> Array:
    """The weak shift, then rotation, scaling, contrast, brightness and one erased square."""
    k = jax.random.split(key, 6)
    turned = _affine(
        _weak(k[0], x),
        jax.random.uniform(k[1], (), minval=-0.4, maxval=0.4),
        jax.random.uniform(k[2], (), minval=0.8, maxval=1.2),
        jnp.zeros(2),
    )
    contrast, brightness = jax.random.uniform(k[3], (2,), minval=-1.0, maxval=1.0)
    x = jnp.clip(turned * (1 + 0.5 * contrast) + 0.3 * brightness, -1.0, 1.0)
    h, w, _ = x.shape
    side = max(1, h // 4)
    top, left = jax.random.randint(k[4], (2,), 0, jnp.array([h - side + 1, w - side + 1]))
    rows, columns = jnp.arange(h)[:, None, None], jnp.arange(w)[None, :, None]
    inside = (rows >= top) & (rows < top + side) & (columns >= left) & (columns < left + side)
    return jnp.where(inside, jax.random.uniform(k[5], (), minval=-1.0, maxval=1.0), x)


AUGMENTATIONS = {"weak": _weak, "strong": _strong}


def augment(kind: str, key: Array, x: Array) -> Array:
    """Floats [n, h, w, c] -> the view named `kind` ("none", "weak", "strong"), a key per example.

    Raises ValueError for anything but images when a view other than "none" is asked for.
    """
    if kind == "none":
        return x
    if x.ndim != 4:
        raise ValueError(f"The {kind} view is defined for images [n, h, w, c]; this domain has shape {x.shape}.")
    return jax.vmap(AUGMENTATIONS[kind])(jax.random.split(key, x.shape[0]), x)
