"""A trunk written in Flax NNX, through the same fence: its parameters, batch statistics and dropout keys are handed in.

An NNX module holds its own state, so what is given is no module but what makes one: every trial begins at random by
its own seed.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from flax import nnx

from tl_jax.core.errors import UserError
from tl_jax.core.types import Array
from tl_jax.models.parts.recipe import Frozen, Pixels, Recipe

KINDS = (nnx.Param, nnx.BatchStat, nnx.RngState)
Plain = Mapping[str, Any]


def of_nnx(make: Callable[..., nnx.Module], *, bottleneck: int = 0, pixels: Pixels | None = None) -> Recipe:
    """The recipe of a trunk x [n, ...] -> features [n, d] that make(rngs=nnx.Rngs) -> module gives.

    Its call is handed `train` if it takes it; layers of nnx (BatchNorm, Dropout) know it anyway. A parameter `dtype` of
    `make` lets it follow --precision. Layers are in the order in which __init__ makes them. pixels: as of any recipe.
    """

    def backbone(dtype: Any, form: str) -> nn.Module:
        takes = "dtype" in inspect.signature(make).parameters
        if jnp.dtype(dtype) != jnp.float32 and not takes:
            raise UserError(
                f"--precision={jnp.dtype(dtype)}: what makes the NNX module has no parameter `dtype` to compute in. "
                "Give it one, or use --precision=float32."
            )
        return Nnx((lambda rngs: make(rngs=rngs, dtype=dtype)) if takes else lambda rngs: make(rngs=rngs))

    return Recipe(backbone, bottleneck, pixels=pixels)


class Nnx(nn.Module):
    """An NNX module as a Linen one: make(rngs) -> module."""

    make: Callable[[nnx.Rngs], nnx.Module]

    @nn.compact
    def __call__(self, x: Array, train: bool = False, frozen: Frozen = frozenset()) -> Array:
        """x [n, ...] -> [n, d]."""
        if self.is_initializing():
            module = self.make(nnx.Rngs(self.make_rng("params")))
            _check(module)
            for name, tree in _ordered(module, nnx.Param).items():
                self.param(name, lambda key, tree=tree: tree)
            for name, tree in _ordered(module, nnx.BatchStat).items():
                self.variable("batch_stats", name, lambda tree=tree: tree)
            module.eval()
            return _called(module, x, False)
        if self.scope is not None and self.scope.root.has_variable("mixed", self.path[0]):
            raise UserError(
                "A trunk in NNX normalises by the batch or by what is stored; this method asks for a mixture."
            )
        random = train and self.has_rng("dropout")
        module = self._with_state(self.make_rng("dropout") if random else None)
        module.train() if train else module.eval()
        for path, layer in nnx.iter_modules(module):
            if isinstance(layer, nnx.BatchNorm) and "/".join((*self.path, *map(str, path))) in frozen:
                layer.use_running_average = True
            if isinstance(layer, nnx.Dropout) and not random:
                layer.deterministic = True
        found = _called(module, x, train)
        if train:
            for name, tree in _ordered(module, nnx.BatchStat).items():
                self.put_variable("batch_stats", name, tree)
        return found

    def _with_state(self, key: Array | None) -> nnx.Module:
        """The module with the parameters and statistics of this call, and dropout by its key."""
        like = nnx.eval_shape(lambda: self.make(nnx.Rngs(0)))
        graph, params, stats, rngs = nnx.split(like, *KINDS)
        held = self.variables
        for state, collection in ((params, "params"), (stats, "batch_stats")):
            plain = nnx.to_pure_dict(state)
            nnx.replace_by_pure_dict(state, _as(plain, held.get(collection, {})))
        leaves, tree = jax.tree.flatten(rngs)
        fresh = [_random(leaf, key, i) for i, leaf in enumerate(leaves)]
        return nnx.merge(graph, params, stats, jax.tree.unflatten(tree, fresh))


def _check(module: nnx.Module) -> None:
    """Raises UserError for state that nobody would keep."""
    rest = nnx.to_flat_state(nnx.split(module, *KINDS, ...)[-1])
    if other := sorted({type(leaf).__name__ for _, leaf in rest}):
        raise UserError(
            f"{type(module).__name__} keeps {', '.join(other)}: of an NNX module parameters, batch statistics and the "
            "state of random numbers are handed on, nothing else."
        )


def _ordered(module: nnx.Module, kind: type) -> dict[str, Any]:
    """{attribute: its variables of a kind as nested dicts with texts as keys}, in the order of the attributes."""
    plain = nnx.to_pure_dict(nnx.state(module, kind))
    return {str(name): _texts(plain[name]) for name in vars(module) if name in plain}


def _texts(tree: Any) -> Any:
    return {str(name): _texts(x) for name, x in tree.items()} if isinstance(tree, Mapping) else tree


def _as(like: Any, found: Any) -> Any:
    """Nested dicts under the keys of `like`, which may be numbers."""
    return {name: _as(x, found[str(name)]) for name, x in like.items()} if isinstance(like, Mapping) else found


def _called(module: Any, x: Array, train: bool) -> Array:
    takes = "train" in inspect.signature(type(module).__call__).parameters
    return module(x, train=train) if takes else module(x)


def _random(leaf: Any, key: Array | None, number: int) -> Array:
    """A leaf of the state of random numbers: a key of its own, or a count from zero."""
    if not jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key):
        return jnp.zeros(leaf.shape, leaf.dtype)
    key = jax.random.key(0) if key is None else key
    own = jax.random.fold_in(key, number)
    own = own if jnp.issubdtype(own.dtype, jax.dtypes.prng_key) else jax.random.wrap_key_data(own)
    return jax.random.split(own, leaf.shape) if leaf.shape else own
