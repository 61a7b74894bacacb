"""Convolutions over time, as the published networks for sound have them."""

from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from tl_jax.core.types import Array
from tl_jax.models.parts.conv import conv2d


class Conv1d(nn.Module):
    """A convolution of [n, t, c] over time; kernel [width, c / groups, d], each group of channels by itself.

    scaled: the kernel of each place in time has length 1, times a learned scale [width] (Salimans & Kingma 2016,
    arXiv:1602.07868).
    """

    features: int
    width: int
    stride: int = 1
    padding: int = 0
    groups: int = 1
    bias: bool = True
    scaled: bool = False
    dtype: Any = jnp.float32
    form: str = "lax"

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x [n, t, c] -> [n, (t + 2 padding - width) // stride + 1, features]."""
        shape = (self.width, x.shape[-1] // self.groups, self.features)
        kernel = self.param("kernel", nn.initializers.lecun_normal(), shape, jnp.float32)
        if self.scaled:
            length = jnp.sqrt(jnp.square(kernel).sum((1, 2)))
            scale = self.param("scale", lambda key: length)  # begins where it changes nothing
            kernel = kernel * (scale / length)[:, None, None]
        x = jnp.pad(x.astype(self.dtype), ((0, 0), (self.padding, self.padding), (0, 0)))
        x = self._of_groups(x, kernel.astype(self.dtype))
        if not self.bias:
            return x
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,), jnp.float32)
        return x + bias.astype(self.dtype)[None, None]

    def _of_groups(self, x: Array, kernel: Array) -> Array:
        one = lambda x, kernel: conv2d(x[:, None], kernel[None], (1, self.stride), "VALID", self.form)[:, 0]
        if self.groups == 1:
            return one(x, kernel)
        apart = lambda a: a.reshape(*a.shape[:2], self.groups, -1)
        # Patches of all groups at once are many: for the gradient they are made again.
        each = jax.checkpoint(jax.vmap(one, in_axes=(2, 2), out_axes=2))
        y = each(apart(x), apart(kernel))
        return y.reshape(*y.shape[:2], -1)
