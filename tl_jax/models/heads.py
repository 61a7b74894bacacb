"""From backbone features to logits: the bottleneck and the heads, by name in HEADS."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from tl_jax.core.types import Array
from tl_jax.models.parts.layers import BatchNorm, Dropout
from tl_jax.models.parts.recipe import Frozen


def unit(x: Array, axis: int) -> Array:
    """x / |x| along an axis; a vector of zeros stays zero, with a finite gradient."""
    return x * lax.rsqrt(jnp.square(x).sum(axis, keepdims=True) + 1e-12)


class Bottleneck(nn.Module):
    """Dense, batch normalisation, relu: the features that methods align."""

    width: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, d] -> [n, width]."""
        x = nn.Dense(self.width, dtype=self.dtype, name="dense1")(x)
        return nn.relu(BatchNorm(dtype=self.dtype, name="norm1")(x, train, frozen))


class Linear(nn.Module):
    """logits = x W + b."""

    classes: int

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        """x [n, d] -> [n, classes]."""
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (x.shape[-1], self.classes), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.classes,), jnp.float32)
        return x @ kernel + bias.reshape(1, -1)


class MlpHead(nn.Module):
    """Dense 1024, relu, dropout .5, dense: the classic transfer head of VGG."""

    classes: int

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        """x [n, d] -> [n, classes]."""
        x = nn.relu(nn.Dense(1024, name="dense1")(x))
        return nn.Dense(self.classes, name="dense2")(Dropout(0.5, name="dropout1")(x, train))


class Cosine(nn.Module):
    """logits_c = s <x / |x|, w_c / |w_c|> with a learned s, from 10 (Gidaris & Komodakis 2018, arXiv:1804.09458)."""

    classes: int

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        """x [n, d] -> [n, classes]."""
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (x.shape[-1], self.classes), jnp.float32)
        scale = self.param("scale", nn.initializers.constant(10.0), (1,), jnp.float32)
        return scale.reshape(1, 1) * (unit(x, 1) @ unit(kernel, 0))


class WeightNorm(nn.Module):
    """logits_c = g_c <x, w_c / |w_c|> + b_c (Salimans & Kingma 2016, arXiv:1602.07868); g starts at 1."""

    classes: int

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        """x [n, d] -> [n, classes]."""
        kernel = self.param("kernel", nn.initializers.lecun_normal(), (x.shape[-1], self.classes), jnp.float32)
        scale = self.param("scale", nn.initializers.ones_init(), (self.classes,), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), (self.classes,), jnp.float32)
        return (x @ unit(kernel, 0)) * scale.reshape(1, -1) + bias.reshape(1, -1)


HEADS: dict[str, Callable[..., nn.Module]] = {
    "linear": Linear,
    "mlp": MlpHead,
    "cosine": Cosine,
    "weight_norm": WeightNorm,
}
