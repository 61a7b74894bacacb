"""Mixed styles: statistics of feature maps between those of two examples."""

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from tl_jax.core.errors import UserError
from tl_jax.core.keys import named
from tl_jax.core.types import Array, At, Batch, Network, Output, Outputs, Tree
from tl_jax.losses.classes import supervised
from tl_jax.methods.contract import Method, Own, Terms, View

STYLED = ("stage", "block", "norm", "")
"""Which modules are mixed after, the first of these kinds that a network has two of."""


def mixstyle(p: float = 0.5, alpha: float = 0.1) -> Method:
    """L = mean_k R_k of a network whose first two blocks give y' = (a s + (1 - a) s') (y - m) / s + a m + (1 - a) m'.

    m, s [n, 1, ..., c]: mean and deviation of a map's channels over its places, detached; ' another example, of a
    different domain where all pass together (the forward plan `joint`), else of the pass; a ~ Beta(alpha, alpha) for
    each example. A block is mixed in a share p of the steps, in training alone. Blocks: stages, else blocks, else
    normalised convolutions; a network without maps is refused. p = .5, alpha = .1 as published; pairs across domains
    are one of the paper's two forms, the default of its code being pairs of the whole batch. Zhou et al. 2021,
    arXiv 2104.02008.
    """

    def terms(own: Own, out: Outputs, batch: Batch[None], at: At) -> Terms:
        return Terms({"source": supervised(out["source"].logits, batch.y, at)})

    def adapt(network: Network, batch: Batch, at: At) -> Network:
        def apply(params: Tree, stats: Tree, x: Array, **how: Any) -> tuple[Output, Tree]:
            if not how.get("train"):
                return network.apply(params, stats, x, **how)
            places = _places(lambda after: network.apply(params, stats, x, after=after))
            domains = len(batch.sources) if len(x) == len(batch.y) else 1
            mix = lambda path, y: _mixed(named(at.key, path), y, domains, at) if path in places else y
            return network.apply(params, stats, x, **how, after=mix)

        return Network(network.init, apply)

    return Method(
        terms,
        views={"source": View("source")},
        values={"p": p, "alpha": alpha},
        lam=None,
        adapt=adapt,
        regression=True,
    )


def _places(run: Callable) -> list[str]:
    """The first two modules of the trunk that give maps [n, ..., c], of a kind of STYLED. UserError where none does."""
    met: list[str] = []

    def note(path: str, y: Array) -> Array:
        if y.ndim > 2 and path.startswith("backbone/") and path.count("/") == 1:
            met.append(path)
        return y

    jax.eval_shape(lambda: run(note))
    if not met:
        raise UserError("mixstyle mixes the statistics of feature maps, and the network has none: use --network=cnn.")
    kinds = [[path for path in met if path.startswith(f"backbone/{kind}")] for kind in STYLED]
    return next((paths for paths in kinds if len(paths) > 1), met)[:2]


def _mixed(key: Array, y: Array, domains: int, at: At) -> Array:
    k_order, k_shift, k_share, k_whether = jax.random.split(key, 4)
    n, places = len(y), tuple(range(1, y.ndim - 1))
    size = n // domains
    order = jnp.concatenate(
        [i * size + jax.random.permutation(jax.random.fold_in(k_order, i), size) for i in range(domains)]
        + [jnp.arange(domains * size, n)]
    )
    shift = jax.random.randint(k_shift, (), 1, domains) * size if domains > 1 else 0
    other = jnp.roll(order, -shift)
    m = jax.lax.stop_gradient(y.mean(places, keepdims=True))
    s = jax.lax.stop_gradient(jnp.sqrt(y.var(places, keepdims=True) + 1e-6))
    alpha = at.values["alpha"]
    a = jax.random.beta(k_share, alpha, alpha, (n, *(1,) * (y.ndim - 1))).astype(y.dtype)
    mixed = (y - m) / s * (a * s + (1 - a) * s[other]) + a * m + (1 - a) * m[other]
    return jnp.where(jax.random.bernoulli(k_whether, at.values["p"]), mixed, y)
