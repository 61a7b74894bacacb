"""Backbones for digits and vectors, and `build`: a name and its arguments -> Network."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from tl_jax.core.types import Array, Network, Output, Tree
from tl_jax.models.cnn import cnn
from tl_jax.models.conv import Conv
from tl_jax.models.layers import BatchNorm, Dropout, max_pool
from tl_jax.models.recipe import Frozen, Recipe


class Mlp(nn.Module):
    """Flatten, then dense, relu, dropout for every width in `hidden`."""

    hidden: tuple[int, ...]
    dropout: float
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, ...] -> [n, hidden[-1]]."""
        x = x.reshape(x.shape[0], -1)
        for i, width in enumerate(self.hidden, 1):
            x = nn.relu(nn.Dense(width, dtype=self.dtype, name=f"dense{i}")(x))
            x = Dropout(self.dropout, name=f"dropout{i}")(x, train)
        return x


class LeNet(nn.Module):
    """Two convolutions of 5x5, each pooled by two, and a dense layer of 500 (see `lenet`)."""

    norm: bool
    dropout: float
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, h, w, c] -> [n, 500]."""
        small = min(x.shape[1:3])
        # Without padding a map of 16 px would end as 1 px, and one of less than 16 px as nothing.
        padding = ("SAME" if small < 28 else "VALID", "SAME" if small < 16 else "VALID")
        for i, (width, pad) in enumerate(zip((20, 50), padding, strict=True), 1):
            x = Conv(width, 5, padding=pad, dtype=self.dtype, form=self.form, name=f"conv{i}")(x)
            x = max_pool(x)
            if self.norm:  # after pooling: a quarter of the values to normalise
                x = BatchNorm(dtype=self.dtype, name=f"norm{i}")(x, train, frozen)
            x = nn.relu(x)
        x = nn.relu(nn.Dense(500, dtype=self.dtype, name="dense1")(x.reshape(x.shape[0], -1)))
        return Dropout(self.dropout, name="dropout1")(x, train)


class Dtn(nn.Module):
    """Three convolutions of 5x5 with stride 2 and a dense layer of 512, all normalised (see `dtn`)."""

    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, h, w, c] -> [n, 512]."""
        for i, (width, rate) in enumerate(((64, 0.1), (128, 0.3), (256, 0.5)), 1):
            x = Conv(width, 5, strides=2, padding=2, dtype=self.dtype, form=self.form, name=f"conv{i}")(x)
            x = BatchNorm(dtype=self.dtype, name=f"norm{i}")(x, train, frozen)
            x = nn.relu(Dropout(rate, channels=True, name=f"dropout{i}")(x, train))
        x = nn.Dense(512, dtype=self.dtype, name="dense1")(x.reshape(x.shape[0], -1))
        x = nn.relu(BatchNorm(dtype=self.dtype, name="norm4")(x, train, frozen))
        return Dropout(0.5, name="dropout4")(x, train)


class Bottleneck(nn.Module):
    """Dense, batch normalisation, relu: the features that methods align."""

    width: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, d] -> [n, width]."""
        x = nn.Dense(self.width, dtype=self.dtype, name="dense1")(x)
        return nn.relu(BatchNorm(dtype=self.dtype, name="norm1")(x, train, frozen))


class Classifier(nn.Module):
    """Backbone, bottleneck (unless its width is 0) and a linear head in float32."""

    backbone: nn.Module
    width: int
    classes: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, train: bool = False, frozen: Frozen = frozenset()) -> Output:
        """x [n, ...] -> Output(features [n, d], logits [n, classes]), float32."""
        x = self.backbone(x, train, frozen)
        if self.width:
            x = Bottleneck(self.width, self.dtype, name="bottleneck")(x, train, frozen)
        features = x.astype(jnp.float32)
        return Output(features, nn.Dense(self.classes, name="head")(features))


def mlp(*, hidden: tuple[int, ...] = (128,), dropout: float = 0.2, bottleneck: int = 256) -> Recipe:
    """Dense layers of the given widths for vectors or small images: x [n, ...]."""
    return Recipe(lambda dtype, form: Mlp(tuple(hidden), dropout, dtype), bottleneck)


def lenet(*, norm: bool = True, dropout: float = 0.5, bottleneck: int = 256) -> Recipe:
    """LeNet of the digits protocols (LeCun et al. 1998): x [n, h, w, c], h and w from 4 px.

    conv 5x5-20, pool, relu, conv 5x5-50, pool, relu, dense 500, relu, dropout; `norm` normalises
    after each pooling. 28 px end in a 4x4 map (800 values). Under 28 px the first convolution
    is padded, so that 16 px end in 2x2; under 16 px the second is padded too.
    """
    return Recipe(lambda dtype, form: LeNet(norm, dropout, dtype, form), bottleneck)


def dtn(*, bottleneck: int = 256) -> Recipe:
    """The network of the SVHN -> MNIST protocols: x [n, h, w, c] (Long et al. 2018, arXiv:1705.10667)."""
    return Recipe(lambda dtype, form: Dtn(dtype, form), bottleneck)


NETWORKS: dict[str, Callable[..., Recipe]] = {"mlp": mlp, "lenet": lenet, "cnn": cnn, "dtn": dtn}


def build(call: tuple[str, Mapping[str, Any]], classes: int, dtype: Any = jnp.float32, form: str = "lax") -> Network:
    """The Network that `call` names, e.g. ("lenet", {"norm": True}), with a head of `classes`.

    `dtype` is the precision of the computation (parameters, features and logits stay float32) and
    `form` the form of the convolutions (see `conv_form`).
    """
    name, arguments = call
    recipe = NETWORKS[name](**arguments)
    module = Classifier(recipe.backbone(dtype, form), recipe.bottleneck, classes, dtype)

    def init(key: jax.Array, x: Array) -> tuple[Tree, Tree]:
        variables = module.init(key, x)
        return variables["params"], variables.get("batch_stats", {})

    def apply(
        params: Tree,
        stats: Tree,
        x: Array,
        train: bool = False,
        key: jax.Array | None = None,
        frozen: Frozen = frozenset(),
    ) -> tuple[Output, Tree]:
        variables = {"params": params, "batch_stats": stats}
        if not train:
            return module.apply(variables, x), stats  # pyright: ignore[reportReturnType]
        rngs = {} if key is None else {"dropout": key}
        output, updated = module.apply(variables, x, True, frozen, rngs=rngs, mutable=["batch_stats"])
        return output, updated.get("batch_stats", {})  # pyright: ignore[reportReturnType]

    return Network(init, apply)
