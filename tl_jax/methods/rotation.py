"""Rotation: the network tells by how many quarters an image was turned."""

import jax.numpy as jnp

from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.losses.classes import cross_entropy
from tl_jax.methods.contract import HEAD_FROZEN, Example, Method, Own, Terms, View

VIEWS = {"upright": "none", "quarter": "rotate90", "half": "rotate180", "three_quarters": "rotate270"}


def rotation() -> Method:
    """L = CE of a linear head on the features of each target turned by 0, 90, 180 and 270 degrees.

    Reads no label; needs square images. Gidaris et al. 2018, arXiv 1803.07728.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        return Own({"turns": mlp.init(key, (example.features.shape[-1], len(VIEWS)))}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        features = jnp.concatenate([out[name].features for name in VIEWS])
        turns = jnp.repeat(jnp.arange(len(VIEWS)), len(features) // len(VIEWS))
        logits = mlp.apply(own.params["turns"], features)
        accuracy = (logits.argmax(1) == turns).mean()
        return Terms({"rotation": cross_entropy(logits, turns)}, {"rotation_accuracy": accuracy})

    return Method(
        terms,
        init,
        views={name: View("target", augment) for name, augment in VIEWS.items()},
        weights=lambda at: {"rotation": 1.0},
        lam=None,
        freeze=HEAD_FROZEN,
        labels="none",
    )
