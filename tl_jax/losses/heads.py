"""A second head of the network's own family, in plain arrays: what belongs to a method cannot be a Flax module.

The families are those of models/heads.py, told apart by the names of their parameters.
"""

from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from tl_jax.core.errors import UserError
from tl_jax.core.keys import named
from tl_jax.core.trees import flatten, unflatten
from tl_jax.core.types import Array
from tl_jax.losses import mlp

COSINE_SCALE = 10.0
MLP_DROPOUT = 0.5
FAMILIES: Mapping[frozenset[str], str] = {
    frozenset({"kernel", "bias"}): "linear",
    frozenset({"dense1/kernel", "dense1/bias", "dense2/kernel", "dense2/bias"}): "mlp",
    frozenset({"kernel", "scale"}): "cosine",
    frozenset({"kernel", "scale", "bias"}): "weight_norm",
}


def family(head: Mapping[str, Any], user: str) -> str:
    """The family of a head's parameters. Raises UserError for a head of another kind."""
    found = FAMILIES.get(frozenset(flatten(head)))
    if found is None:
        raise UserError(
            f"{user} needs a second head like the network's, whose parameters are {', '.join(flatten(head))}: there is "
            f"none of that family. Use a network whose head is one of {', '.join(FAMILIES.values())}."
        )
    return found


def another(key: Array, head: Mapping[str, Any], user: str) -> Any:
    """Parameters of a head of the same family and shape, drawn as the network draws its own.

    Kernels W ~ truncated N(0, 1 / fan in) (LeCun), biases 0, scales 10 (cosine) or 1 (weight_norm).
    Raises UserError for a head of no family.
    """
    scale = COSINE_SCALE if family(head, user) == "cosine" else 1.0

    def draw(path: str, like: Array) -> Array:
        if path.endswith("kernel"):
            return jax.nn.initializers.lecun_normal()(named(key, path), like.shape, like.dtype)
        return jnp.full(like.shape, scale if path == "scale" else 0.0, like.dtype)

    return unflatten({path: draw(path, like) for path, like in flatten(head).items()})


def apply(head: Mapping[str, Any], x: Array, key: Array | None = None) -> Array:
    """Logits [n, c] of features x [n, d]; key: for the dropout of "mlp", None to predict."""
    form = family(head, "This method")
    if form == "linear":
        return x @ head["kernel"] + head["bias"][None]
    if form == "mlp":
        first, second = head["dense1"], head["dense2"]
        h = jax.nn.relu(x @ first["kernel"] + first["bias"][None])
        if key is not None:
            h = jnp.where(jax.random.bernoulli(key, 1 - MLP_DROPOUT, h.shape), h / (1 - MLP_DROPOUT), 0.0)
        return h @ second["kernel"] + second["bias"][None]
    if form == "cosine":
        return head["scale"][None] * (_unit(x, 1) @ _unit(head["kernel"], 0))
    return (x @ _unit(head["kernel"], 0)) * head["scale"][None] + head["bias"][None]


def one_more(logits: Array, unit: mlp.Params, features: Array) -> Array:
    """Logits [n, c + 1]: beside those of the classes [n, c] the one of a linear unit on the features [n, d]."""
    return jnp.concatenate([logits, mlp.apply(unit, features)], axis=1)


def _unit(x: Array, axis: int) -> Array:
    return x * lax.rsqrt(jnp.square(x).sum(axis, keepdims=True) + 1e-12)
