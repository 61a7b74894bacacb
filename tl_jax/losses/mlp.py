"""A perceptron in plain arrays, for the parameters that belong to a method: discriminators, second heads."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import jax
import jax.numpy as jnp

from tl_jax.core.errors import UserError
from tl_jax.core.types import Array

Params = dict[str, dict[str, Array]]


def init(key: Array, sizes: Sequence[int], *, last_bias: bool = True) -> Params:
    """Parameters of a perceptron.

    kernel_l ~ N(0, 2 / sizes[l]), bias_l = 0

    Args: key; sizes (inputs, hidden, ..., outputs), at least two; last_bias: False where what follows
    subtracts the mean, so that a bias would have no gradient.
    Returns: {"dense0": {"kernel" [sizes[0], sizes[1]], "bias" [sizes[1]]}, "dense1": ...}.
    Raises: ValueError for fewer than two sizes or one below 1. He et al. 2015, arXiv 1502.01852.
    """
    if len(sizes) < 2 or min(sizes) < 1:
        raise ValueError(f"sizes must be (inputs, hidden, ..., outputs), all at least 1: got {tuple(sizes)}")
    params = {}
    for layer, (fan_in, fan_out) in enumerate(pairwise(sizes)):
        kernel = jax.random.normal(jax.random.fold_in(key, layer), (fan_in, fan_out)) * (2 / fan_in) ** 0.5
        params[f"dense{layer}"] = {"kernel": kernel, "bias": jnp.zeros(fan_out)}
    if not last_bias:
        del params[f"dense{len(params) - 1}"]["bias"]
    return params


def of_linear(head: Mapping[str, Array], user: str) -> Params:
    """A linear head {"kernel" [d, c], "bias" [c]} as a perceptron of one layer. Raises UserError for another head."""
    if set(head) != {"kernel", "bias"}:
        raise UserError(f"{user} reads the weights of a linear head: use --network=NAME(head='linear'), its default.")
    return {"dense0": dict(head)}


def apply(
    params: Params, x: Array, dropout: float | Array = 0.0, key: Array | None = None, *, normalise: bool = False
) -> Array:
    """Outputs of a perceptron: ReLU between the layers, nothing after the last.

    h_0 = x;  h_{l+1} = drop(relu(h_l W_l + b_l));  out = h_L W_L + b_L

    Args: params from `init`; x [..., d]; dropout in [0, 1), the probability of a zero in a hidden layer;
    key for dropout, None switches it off (evaluation); normalise: relu(standardise(h_l W_l) + b_l) in hidden
    layers, with the batch's own moments. Returns [..., outputs].
    Raises: ValueError if d is not the first kernel's. Srivastava et al. 2014 (JMLR 15:1929).
    """
    inputs = params["dense0"]["kernel"].shape[0]
    if x.shape[-1] != inputs:
        raise ValueError(f"x has {x.shape[-1]} columns, the perceptron takes {inputs}")
    last = len(params) - 1
    for layer in range(last + 1):
        dense = params[f"dense{layer}"]
        x = x @ dense["kernel"]
        if normalise and layer < last:
            x = standardise(x)
        if "bias" in dense:
            x = x + jnp.broadcast_to(dense["bias"], x.shape)
        if layer < last:
            x = jax.nn.relu(x)
            if key is not None:
                x = _drop(x, dropout, jax.random.fold_in(key, layer))
    return x


def standardise(x: Array) -> Array:
    """Columns of x [n, d] to mean 0 and variance 1 (biased, plus 1e-5) over the batch."""
    centred = x - x.mean(0, keepdims=True)
    return centred * jax.lax.rsqrt(jnp.square(centred).mean(0, keepdims=True) + 1e-5)


def _drop(x: Array, rate: float | Array, key: Array) -> Array:
    keep = jax.random.bernoulli(key, 1 - jnp.asarray(rate), x.shape)
    return jnp.where(keep, x / (1 - rate), 0.0)
