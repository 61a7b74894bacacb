"""MAE: what is hidden of an image is told from the rest."""

import jax
import jax.numpy as jnp

from tl_jax.core.inputs import hidden, patch_grid, patches, to_float
from tl_jax.core.keys import named
from tl_jax.core.types import Array, At, Batch, Model, Outputs
from tl_jax.losses import mlp
from tl_jax.methods.contract import HEAD_FROZEN, Example, Method, Own, Terms, View


def mae(width: int = 256) -> Method:
    """L = mean over hidden patches and their pixels of (x - x')^2, x'_p = W relu(V f + v_p) + b.

    f [d] are the features of the target with five of eight patches put to zero, v_p [width] a learned place; the
    decoder V, v, W, b is thrown away. One form for every trunk: what is hidden is zero in the input, as in Xie et al.
    2022 (arXiv 2111.09886), and not left out of a transformer. Reads no label. He et al. 2022, arXiv 2111.06377.
    """

    def init(key: Array, example: Example, model: Model) -> Own:
        h, w, channels = example.x.shape[1:]
        rows, columns = patch_grid(h, w)
        size = h // rows * (w // columns) * channels
        places = jax.random.normal(named(key, "places"), (rows * columns, width))
        pixels = mlp.init(named(key, "pixels"), (width, size))
        spread = mlp.init(key, (example.features.shape[-1], width), last_bias=False)
        return Own({"spread": spread, "places": places, "pixels": pixels}, {})

    def terms(own: Own, out: Outputs, batch: Batch, at: At) -> Terms:
        x = to_float(batch.target.x)
        keys = jax.random.split(at.view_keys["masked"][0], len(x))
        gone = jax.vmap(lambda key: hidden(key, *x.shape[1:3]))(keys)
        spread = mlp.apply(own.params["spread"], out["masked"].features)
        found = mlp.apply(own.params["pixels"], jax.nn.relu(spread[:, None] + own.params["places"][None]))
        errors = jnp.square(found - patches(x)).mean(2)
        return Terms({"hidden": (errors * gone).sum() / gone.sum()})

    return Method(
        terms,
        init,
        views={"masked": View("target", "masked")},
        weights=lambda at: {"hidden": 1.0},
        lam=None,
        freeze=HEAD_FROZEN,
        labels="none",
    )
