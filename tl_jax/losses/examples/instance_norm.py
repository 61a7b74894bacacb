"""Batch normalisation that is aware of single examples: around any network that has it."""

from typing import Any

import jax
import jax.numpy as jnp

from tl_jax.core.errors import UserError
from tl_jax.core.trees import flatten, unflatten
from tl_jax.core.types import Array, Network, Output, Tree

EPSILON = 1e-5


def instance_aware(network: Network, k: float = 4.0, pace: float | Array = 1.0) -> Network:
    """The network whose batch normalisation takes an example's own statistics as far as they are no chance.

    scale (x - m_i) / sqrt(v_i + eps) + bias,   m_i = m + S(mu_i - m, k sqrt((v + eps) / L)),
    v_i = max(v + S(s_i - v, k (v + eps) sqrt(2 / (L - 1))), 0),   S(a, l) = sign(a) max(|a| - l, 0)

    mu_i, s_i: mean and variance (over L - 1) of a channel over the L places of example i; m, v: by what the layer
    normalises otherwise, the batch's in training, else the stored ones. Layers on vectors are left as they are. Padded
    places count as all others. pace: running statistics move by this share of what the network's momentum moves them.
    Gong et al. 2022, arXiv 2208.05117. Raises UserError where layers are not met by the hooks (a trunk in NNX).
    """

    def apply(params: Tree, stats: Tree, x: Array, **how: Any) -> tuple[Output, Tree]:
        stored, weights, given = flatten(stats), flatten(params), {}
        layers = {path.removesuffix("/mean") for path in stored if path.endswith("/mean")}
        train, frozen = how.get("train", False), how.get("frozen", ())

        def before(path: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
            if path in layers:
                given[path] = args[0]
            return args

        def after(path: str, y: Array) -> Array:
            if path not in layers or y.ndim < 3:
                return y
            of, held = _precise(given[path]), (stored[f"{path}/mean"], stored[f"{path}/var"])
            by = _moments(of) if train and path not in frozen else held
            wide = lambda a: a.reshape((1,) * (y.ndim - 1) + a.shape)
            layer = tuple(wide(a) for a in (*by, weights[f"{path}/scale"], weights[f"{path}/bias"]))
            return _aware(y, of, layer, k)

        out, moved = network.apply(params, stats, x, **how, before=before, after=after)
        if missed := layers - given.keys():
            raise UserError(f"Layers of a network in NNX cannot be normalised otherwise: {', '.join(sorted(missed))}.")
        slower = {path: stored[path] + pace * (new - stored[path]) for path, new in flatten(moved).items()}
        return out, unflatten(slower) if train else stats

    return Network(network.init, apply)


def _precise(x: Array) -> Array:
    return x.astype(jnp.promote_types(x.dtype, jnp.float32))


def _moments(x: Array) -> tuple[Array, Array]:
    axes = tuple(range(x.ndim - 1))
    return x.mean(axes), x.var(axes)


def _aware(y: Array, x: Array, layer: tuple[Array, ...], k: float) -> Array:
    """What a layer (m, v, scale, bias) gave of x [n, ..., c], y, with m_i and v_i in the place of m and v."""
    m, v, scale, bias = layer
    places = tuple(range(1, x.ndim - 1))
    many = x.size // (x.shape[0] * x.shape[-1])
    if many < 2:
        return y
    shrunk = lambda a, by: jnp.sign(a) * jnp.maximum(jnp.abs(a) - by, 0)
    shift = shrunk(x.mean(places, keepdims=True) - m, k * jnp.sqrt((v + EPSILON) / many))
    own = x.var(places, keepdims=True, ddof=1)
    v_i = jax.nn.relu(v + shrunk(own - v, k * (v + EPSILON) * jnp.sqrt(2 / (many - 1))))
    # From what the layer gave, whose own epsilon is then in it where nothing changes.
    gain = jnp.sqrt((v + EPSILON) / (v_i + EPSILON))
    z = (_precise(y) - bias) * gain - shift * scale * jax.lax.rsqrt(v_i + EPSILON) + bias
    return z.astype(y.dtype)
