"""Views of one image [h, w, c] with values in [-1, 1]: (key, image) -> image."""

from collections.abc import Callable

import jax
import jax.numpy as jnp

from tl_jax.core.inputs import hidden, patch_grid
from tl_jax.core.types import Array


def _affine(x: Array, matrix: Array, shift: Array) -> Array:
    """One image [h, w, c] read at matrix @ (place - centre) + centre - shift, bilinear, the edge repeated."""
    h, w, _ = x.shape
    centre = jnp.array([(h - 1) / 2, (w - 1) / 2], x.dtype)
    rows, columns = jnp.meshgrid(jnp.arange(h) - centre[0], jnp.arange(w) - centre[1], indexing="ij")
    place = jnp.stack([rows, columns]).astype(x.dtype)
    where = jnp.einsum("ij,jhw->ihw", matrix, place) + (centre - shift)[:, None, None]
    take = lambda plane: jax.scipy.ndimage.map_coordinates(plane, list(where), order=1, mode="nearest")
    return jax.vmap(take, in_axes=2, out_axes=2)(x)


def _turned(x: Array, angle: Array, scale: Array) -> Array:
    """Rotated (radians) and scaled about its centre."""
    cos, sin = jnp.cos(angle) / scale, jnp.sin(angle) / scale
    return _affine(x, jnp.array([[cos, -sin], [sin, cos]]), jnp.zeros(2, x.dtype))


def _erased(key: Array, x: Array) -> Array:
    """A square of a quarter of the height filled with one value."""
    place, fill = jax.random.split(key)
    h, w, _ = x.shape
    side = max(1, h // 4)
    top, left = jax.random.randint(place, (2,), 0, jnp.array([h - side + 1, w - side + 1]))
    rows, columns = jnp.arange(h)[:, None, None], jnp.arange(w)[None, :, None]
    inside = (rows >= top) & (rows < top + side) & (columns >= left) & (columns < left + side)
    return jnp.where(inside, jax.random.uniform(fill, (), x.dtype, -1.0, 1.0), x)


def weak(key: Array, x: Array) -> Array:
    """A shift of up to an eighth of the side, the edge repeated."""
    by = max(1, x.shape[0] // 8)
    padded = jnp.pad(x, ((by, by), (by, by), (0, 0)), mode="edge")
    start = jax.random.randint(key, (2,), 0, 2 * by + 1)
    return jax.lax.dynamic_slice(padded, (start[0], start[1], 0), x.shape)


def strong(key: Array, x: Array) -> Array:
    """The weak shift, then rotation, scaling, contrast, brightness and one erased square."""
    k = jax.random.split(key, 5)
    angle = jax.random.uniform(k[1], (), x.dtype, -0.4, 0.4)
    turned = _turned(weak(k[0], x), angle, jax.random.uniform(k[2], (), x.dtype, 0.8, 1.2))
    contrast, brightness = jax.random.uniform(k[3], (2,), x.dtype, -1.0, 1.0)
    return _erased(k[4], jnp.clip(turned * (1 + 0.5 * contrast) + 0.3 * brightness, -1.0, 1.0))


def shift_turn(key: Array, x: Array) -> Array:
    """The weak shift, and a rotation of up to ten degrees either way. For digits and letters."""
    shift, turn = jax.random.split(key)
    angle = jax.random.uniform(turn, (), x.dtype, -jnp.pi / 18, jnp.pi / 18)
    return _turned(weak(shift, x), angle, jnp.ones((), x.dtype))


def flip(key: Array, x: Array) -> Array:
    """The weak shift, and left for right with probability one half. Not for digits or letters."""
    turn, shift = jax.random.split(key)
    return weak(shift, jnp.where(jax.random.bernoulli(turn), x[:, ::-1], x))


def crop_flip(key: Array, x: Array) -> Array:
    """A crop of .08 to 1 of the area and 3/4 to 4/3 its shape, brought to size; left for right with probability .5.

    That of ImageNet's training (Szegedy et al. 2015, arXiv 1409.4842), bilinear; a crop that would be longer than the
    image is cut to its length.
    """
    k = jax.random.split(key, 4)
    area = jax.random.uniform(k[0], (), x.dtype, 0.08, 1.0)
    half = jnp.exp(jax.random.uniform(k[1], (), x.dtype, -1.0, 1.0) * jnp.log(4 / 3) / 2)
    share = jnp.minimum(jnp.sqrt(area) * jnp.stack([1 / half, half]), 1.0)
    free = (1 - share) / 2 * (jnp.array(x.shape[:2], x.dtype) - 1)
    x = _affine(x, jnp.diag(share), free * jax.random.uniform(k[2], (2,), x.dtype, -1.0, 1.0))
    return jnp.where(jax.random.bernoulli(k[3]), x[:, ::-1], x)


def colour(key: Array, x: Array) -> Array:
    """The flip view, then brightness, contrast and saturation by factors in [.6, 1.4], and grey once in five."""
    k = jax.random.split(key, 3)
    x = (flip(k[0], x) + 1) / 2
    bright, contrast, saturation = jax.random.uniform(k[1], (3,), x.dtype, 0.6, 1.4)
    x = x * bright
    x = x.mean() + contrast * (x - x.mean())
    grey = x.mean(2, keepdims=True)
    x = grey + jnp.where(jax.random.bernoulli(k[2], 0.2), 0.0, saturation) * (x - grey)
    return jnp.clip(2 * x - 1, -1.0, 1.0)


def distorted(key: Array, x: Array) -> Array:
    """A crop of .6 to 1 of the side, then colours that tell nothing: for instance discrimination.

    Each channel's contrast by a factor in [.3, 1] and its brightness moved by up to .6; grey once in two; negative
    once in two. Without it two views of one image are matched by their colours alone. After Chen et al. 2020,
    arXiv 2002.05709 (there no negatives).
    """
    k = jax.random.split(key, 7)
    side = jax.random.uniform(k[0], (), x.dtype, 0.6, 1.0)
    free = (1 - side) / 2 * jnp.array(x.shape[:2], x.dtype)
    angle = jax.random.uniform(k[1], (), x.dtype, -0.3, 0.3)
    cos, sin = side * jnp.cos(angle), side * jnp.sin(angle)
    x = _affine(x, jnp.array([[cos, -sin], [sin, cos]]), free * jax.random.uniform(k[2], (2,), x.dtype, -1.0, 1.0))
    x = jnp.where(jax.random.bernoulli(k[3]), x.mean(2, keepdims=True), x)
    contrast = jax.random.uniform(k[4], (1, 1, x.shape[2]), x.dtype, 0.3, 1.0)
    x = contrast * x + jax.random.uniform(k[5], (1, 1, x.shape[2]), x.dtype, -0.6, 0.6)
    return jnp.clip(jnp.where(jax.random.bernoulli(k[6]), -x, x), -1.0, 1.0)


def _operations(x: Array, m: Array) -> list[Array]:
    """What `randaugment` chooses from, at magnitude m in [-1, 1]."""
    one, zero = jnp.ones((), x.dtype), jnp.zeros((), x.dtype)
    levels = jnp.exp2(8 - jnp.round(4 * jnp.abs(m)))
    side = jnp.array(x.shape[:2], x.dtype)
    low, high = x.min(), x.max()
    return [
        x,
        _turned(x, 0.52 * m, one),
        _turned(x, zero, 1 + 0.3 * m),
        _affine(x, jnp.array([[one, 0.3 * m], [zero, one]]), jnp.zeros(2, x.dtype)),
        _affine(x, jnp.array([[one, zero], [0.3 * m, one]]), jnp.zeros(2, x.dtype)),
        _affine(x, jnp.eye(2, dtype=x.dtype), 0.3 * m * side * jnp.array([1, 0], x.dtype)),
        _affine(x, jnp.eye(2, dtype=x.dtype), 0.3 * m * side * jnp.array([0, 1], x.dtype)),
        x + 0.9 * m,
        x.mean() + (1 + 0.9 * m) * (x - x.mean()),
        jnp.floor((x + 1) / 2 * levels) / levels * 2 - 1,
        jnp.where(x > 1 - jnp.abs(m), -x, x),
        2 * (x - low) / jnp.maximum(high - low, 1e-6) - 1,
    ]


def randaugment(key: Array, x: Array) -> Array:
    """The weak shift, two random operations of random strength, and one erased square.

    None, rotation (30 degrees), zoom, shears (.3), shifts (.3 of the side), brightness, contrast, posterise,
    solarise, autocontrast. After Cubuk et al. 2020, arXiv 1909.13719.
    """
    k = jax.random.split(key, 6)
    x = weak(k[0], x)
    for choose, size in ((k[1], k[2]), (k[3], k[4])):
        options = _operations(x, jax.random.uniform(size, (), x.dtype, -1.0, 1.0))
        pick = jax.random.randint(choose, (), 0, len(options))
        x = jnp.clip(jax.lax.select_n(pick, *options), -1.0, 1.0)
    return _erased(k[5], x)


def masked(key: Array, x: Array) -> Array:
    """Five of eight patches are put to zero, the middle of the range (see `hidden`)."""
    rows, columns = patch_grid(*x.shape[:2])
    out = hidden(key, *x.shape[:2]).reshape(rows, columns)
    out = jnp.repeat(jnp.repeat(out, x.shape[0] // rows, axis=0), x.shape[1] // columns, axis=1)
    return jnp.where(out[:, :, None], 0.0, x)


def rotated(turns: int) -> Callable[[Array, Array], Array]:
    """The view that is the image turned by so many quarters, anticlockwise. Raises ValueError unless it is square."""

    def turn(key: Array, x: Array) -> Array:
        del key
        if x.shape[0] != x.shape[1]:
            raise ValueError(f"A quarter turn of an image keeps its shape only if it is square: got {x.shape}.")
        return jnp.rot90(x, turns)

    return turn
