"""What tasks share: one trunk (`hard`), stitched trunks (`cross_stitch`), or a mixture of experts (`mmoe`).

Every task has a head of its own under "head/<task>" (see MANY); their outputs stand side by side in Output.logits.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from tl_jax.core.errors import require
from tl_jax.core.types import Array, Network, Output
from tl_jax.models.heads import HEADS, Bottleneck
from tl_jax.models.images.pixels import rescale
from tl_jax.models.networks import Classifier
from tl_jax.models.parts.pure import as_network
from tl_jax.models.parts.recipe import Frozen, Pixels, Recipe, as_recipe, features

ONE_TRUNK = "hard"
"""The sharing whose parameters weights to begin from are read into (`of_one_trunk`)."""
MANY = 16
"""Linear heads of more tasks are one matrix, "head/kernel": arrays of their own would take minutes to compile."""


class TaskHeads(nn.Module):
    """A head per task on the same features."""

    make: Callable[..., nn.Module]
    widths: tuple[tuple[str, int], ...]

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        """x [n, d] -> [n, sum of widths]."""
        heads = [self.make(width, name=name) for name, width in self.widths]
        return jnp.concatenate([head(x, train) for head in heads], axis=1)


class Towers(nn.Module):
    """Modules of one kind side by side; stitched: their outputs are then mixed linearly."""

    tower: tuple[nn.Module, ...]
    stitched: bool

    @nn.compact
    def __call__(self, xs: tuple[Array, ...], train: bool, frozen: Frozen) -> tuple[Array, ...]:
        """xs: an input for each tower [n, ...]. Returns [n, d] each."""
        out = [features(tower, x, train, frozen) for tower, x in zip(self.tower, xs, strict=True)]
        if not self.stitched:
            return tuple(out)
        k = len(out)
        start = lambda key: 0.9 * jnp.eye(k) + 0.1 * (1 - jnp.eye(k)) / max(k - 1, 1)
        stitch = self.param("stitch", start)
        mixed = jnp.tensordot(stitch, jnp.stack(out).astype(jnp.float32), axes=1)
        return tuple(mixed.astype(out[0].dtype))


class GatedHeads(nn.Module):
    """A head per task on its own mixture of the experts' features: f_k = sum_e softmax(W_k x)_e f_e."""

    make: Callable[..., nn.Module]
    widths: tuple[tuple[str, int], ...]

    @nn.compact
    def __call__(self, x: Array, experts: Array, train: bool) -> Array:
        """x [n, ...], experts [n, e, d] -> [n, sum of widths]."""
        flat, out = x.reshape(len(x), -1).astype(jnp.float32), []
        for name, width in self.widths:
            # Zero at first: every task begins with the mean of the experts.
            gate = nn.Dense(experts.shape[1], kernel_init=nn.initializers.zeros_init(), name=f"{name}.gate")(flat)
            mixed = jnp.einsum("ne,ned->nd", jax.nn.softmax(gate), experts)
            out.append(self.make(width, name=name)(mixed, train))
        return jnp.concatenate(out, axis=1)


class SoftSharing(nn.Module):
    """Several trunks instead of one (see `cross_stitch` and `mmoe`)."""

    backbone: Towers
    bottleneck: Towers | None
    head: nn.Module
    gated: bool
    pixels: Pixels | None

    def __call__(self, x: Array, train: bool = False, frozen: Frozen = frozenset()) -> Output:
        """x [n, ...] -> Output(the trunks' features side by side, logits), float32."""
        if self.pixels:
            x = rescale(x, self.pixels)
        parts = self.backbone((x,) * len(self.backbone.tower), train, frozen)
        if self.bottleneck is not None:
            parts = self.bottleneck(parts, train, frozen)
        found = jnp.stack(parts, axis=1).astype(jnp.float32)
        logits = self.head(x, found, train) if self.gated else self.head(found, train)
        return Output(found.reshape(len(x), -1), logits)


class OwnHeads(nn.Module):
    """A head per task on the features of the task's own trunk."""

    make: Callable[..., nn.Module]
    widths: tuple[tuple[str, int], ...]

    @nn.compact
    def __call__(self, features: Array, train: bool) -> Array:
        """features [n, k, d] -> [n, sum of widths]."""
        heads = [self.make(width, name=name) for name, width in self.widths]
        return jnp.concatenate([head(features[:, i], train) for i, head in enumerate(heads)], axis=1)


def hard() -> int:
    """One trunk for all tasks (Caruana 1993)."""
    return 0


def cross_stitch() -> int:
    """A trunk per task; after backbone and bottleneck x_i <- sum_j a_ij x_j, a = .9 on the diagonal at first.

    A stitch is one matrix [k, k] a place (Misra et al. 2016, arXiv:1604.03539, "one a layer").
    """
    return -1


def mmoe(*, experts: int = 4) -> int:
    """Trunks as experts and a gate per task, softmax(W_k x) (Ma et al. 2018, doi:10.1145/3219819.3220007)."""
    return experts


SHARING: Mapping[str, Callable[..., int]] = {"hard": hard, "cross_stitch": cross_stitch, "mmoe": mmoe}
"""Each gives its number of trunks: 0 one without gates, -1 one a task."""


def of_one_trunk(path: str) -> str:
    """The parameter of a single trunk that one of several trunks is like: 'backbone/tower_1/conv1/kernel' ->
    'backbone/conv1/kernel'. Others are as they are."""
    return re.sub(r"^(backbone|bottleneck)/tower_\d+/", r"\1/", path)


def in_each_trunk(stats: Mapping[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """Statistics of a single trunk for a network with parameters at these paths, each of its trunks the same."""
    trunks = {tuple(path.split("/")[:2]) for path in paths if path != of_one_trunk(path)}
    names = lambda group: sorted(name for where, name in trunks if where == group)
    return {group: dict.fromkeys(names(group), tree) if names(group) else tree for group, tree in stats.items()}


def build_tasks(
    made: Recipe | nn.Module,
    widths: Mapping[str, int],
    sharing: int,
    dtype: Any = jnp.float32,
    form: str = "lax",
) -> Network:
    """The Network of a recipe or a trunk with a head per task; widths: {task: outputs}; sharing: of SHARING."""
    recipe = as_recipe(made)
    require("head", recipe.head, HEADS)
    make, wide = HEADS[recipe.head], tuple(widths.items())
    trunk = lambda: recipe.backbone(dtype, form)
    neck = (lambda: Bottleneck(recipe.bottleneck, dtype)) if recipe.bottleneck else None
    if sharing == 0:
        fused = recipe.head == "linear" and len(wide) > MANY
        head = make(sum(widths.values())) if fused else TaskHeads(make, wide)
        return as_network(Classifier(trunk(), neck() if neck else None, head, recipe.pixels))
    gated = sharing > 0
    count = sharing if gated else len(wide)
    towers = lambda make: Towers(tuple(make() for _ in range(count)), not gated)
    head = GatedHeads(make, wide) if gated else OwnHeads(make, wide)
    return as_network(SoftSharing(towers(trunk), towers(neck) if neck else None, head, gated, recipe.pixels))
