"""From stored examples to what a network sees, on the device: conversion, and views by the kind of data."""

from collections.abc import Callable, Mapping

import jax
import jax.numpy as jnp

from tl_jax.core.inputs import to_float
from tl_jax.core.types import Array
from tl_jax.data.views import images as image_views
from tl_jax.data.views import sequences as sequence_views

VIEWS: Mapping[str, Mapping[str, Callable[[Array, Array], Array]]] = {
    "image": {
        "weak": image_views.weak,
        "strong": image_views.strong,
        "shift_turn": image_views.shift_turn,
        "flip": image_views.flip,
        "crop_flip": image_views.crop_flip,
        "colour": image_views.colour,
        "randaugment": image_views.randaugment,
        "distorted": image_views.distorted,
        "masked": image_views.masked,
        **{f"rotate{90 * turns}": image_views.rotated(turns) for turns in (1, 2, 3)},
    },
    "sound": {"weak": sequence_views.weak_sound, "strong": sequence_views.strong_sound},
    "text": {"weak": sequence_views.weak_text, "strong": sequence_views.strong_text},
    "series": {"weak": sequence_views.weak_series, "strong": sequence_views.strong_series},
    "vector": {"weak": sequence_views.weak_vector, "strong": sequence_views.strong_vector},
}
"""{kind of data: {view: function of (key, one example)}}."""


def modality(x: Array) -> str:
    """The kind of stored examples: image [n, h, w, c], sound int16 [n, samples], text int32 [n, t], series, vector.

    Raises ValueError for any other number of dimensions.
    """
    kinds = {2: "vector", 3: "series", 4: "image"}
    if x.ndim not in kinds:
        raise ValueError(f"Views are defined for 2 to 4 dimensions (examples, ...); this domain has shape {x.shape}.")
    if x.ndim == 2 and jnp.issubdtype(x.dtype, jnp.signedinteger):
        return "sound" if x.dtype == jnp.int16 else "text"
    return kinds[x.ndim]


def augment(view: str, key: Array, x: Array) -> Array:
    """Stored examples [n, ...] -> `to_float` of them in the view named `view`, a key per example; "none": as they are.

    Raises ValueError for a view that this kind of data does not have.
    """
    floats = to_float(x)
    if view == "none":
        return floats
    views = VIEWS[modality(x)]
    if view not in views:
        raise ValueError(f"There is no {view} view of a {modality(x)} {x.shape}; there are none, {', '.join(views)}.")
    return jax.vmap(views[view])(jax.random.split(key, x.shape[0]), floats)
