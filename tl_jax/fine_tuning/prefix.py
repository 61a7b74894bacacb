"""Learned keys and values in every attention of a transformer, as a change of the network."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp

from tl_jax.core.errors import UserError
from tl_jax.core.keys import named
from tl_jax.core.trees import flatten, unflatten
from tl_jax.core.types import Array, Network, Tree
from tl_jax.fine_tuning.layout import arguments

GROUP = "prefix"


def with_prefix(network: Network, count: int) -> Network:
    """The network in whose attentions every place looks at `count` learned keys and values besides the places.

    Softmax(q [P; k]^T / sqrt(d / heads)) [R; v], P and R [count, d] for all heads side by side, uniform in +-1/sqrt(d),
    are parameters of their own under "prefix/<path of the attention>"; freezing the rest is the rules' affair. Places
    are added before the first for them, whose own queries are left out. Raises UserError where there is no attention
    over places [n, t, d] whose queries, keys and values come from one matrix with a bias, or one that knows distances
    (not in ModernBERT, which looks through windows, nor in DeBERTa). Li & Liang 2021, arXiv:2101.00190.
    """

    def init(key: Array, x: Array) -> tuple[Tree, Tree]:
        params, stats = network.init(key, x)
        given = arguments(network, (params, stats), x)
        widths = attentions(flatten(params))
        if not widths or not all(_over_places(given[path]) for path in widths):
            raise UserError(
                "prefix: this network has no attention over places whose queries, keys and values come from one matrix "
                "with a bias. Use lora or adapter."
            )
        learned = {}
        for path, d in widths.items():
            limit = 1 / math.sqrt(d)
            for part in ("key", "value"):
                drawn = named(key, f"{GROUP}/{path}/{part}")
                learned[f"{path}/{part}"] = jax.random.uniform(drawn, (count, d), minval=-limit, maxval=limit)
        return {GROUP: unflatten(learned), **params}, stats

    def apply(params: Tree, stats: Tree, x: Array, **how: Any):
        learned = flatten(params[GROUP])
        paths = {name.rpartition("/")[0] for name in learned}
        rest = {name: value for name, value in params.items() if name != GROUP}
        then, first = how.pop("after", None), how.pop("before", None)

        def before(path: str, args: tuple[Any, ...]) -> tuple[Any, ...]:
            args = first(path, args) if first else args
            if path not in paths:
                return args
            y, *mask = args
            room = lambda a, value: jnp.pad(a, [(0, 0), (count, 0)] + [(0, 0)] * (a.ndim - 2), constant_values=value)
            return (room(y, 0), *(None if m is None else room(m, 1) for m in mask))

        def after(path: str, y: Array) -> Array:
            within = path.removesuffix("/qkv")
            if path in paths:
                y = y[:, count:]
            elif path.endswith("/qkv") and within in paths:
                own = jnp.concatenate([learned[f"{within}/{part}"] for part in ("key", "value")], axis=1)
                own = jnp.pad(own, ((0, 0), (own.shape[1] // 2, 0))).astype(y.dtype)[None]  # no queries
                own = jnp.broadcast_to(own, (y.shape[0], *own.shape[1:]))
                y = jnp.concatenate([own, y[:, count:]], axis=1)
            return then(path, y) if then else y

        return network.apply(rest, stats, x, **how, before=before, after=after)

    return Network(init, apply)


def _over_places(args: tuple[Any, ...]) -> bool:
    """Whether an attention is given [n, t, d] and at most a mask [n, t]."""
    return args[0].ndim == 3 and len(args) <= 2 and all(m is None or m.ndim == 2 for m in args[1:])


def attentions(flat: Mapping[str, Array]) -> dict[str, int]:
    """{path of an attention with one matrix for queries, keys and values: its width}."""
    end = "/attention/qkv/bias"
    return {path.removesuffix("/qkv/bias"): x.size // 3 for path, x in flat.items() if path.endswith(end)}
