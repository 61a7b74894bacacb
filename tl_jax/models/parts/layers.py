"""Batch normalisation whose statistics can be frozen by path, dropout, and pooling by slices."""

from collections.abc import Callable
from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn

from tl_jax.core.types import Array


class BatchNorm(nn.Module):
    """Normalise every channel of x [..., c]: scale * (x - mean) / sqrt(var + epsilon) + bias.

    With `train`, mean and var are the batch's and the running ones move by
    running = momentum * running + (1 - momentum) * batch, with the biased variance (divided by n, as
    Flax does; PyTorch stores the one divided by n - 1). Otherwise they are the running ones, which
    is also what a module does whose path is in `frozen`: its statistics stay as they are. A variable "mean" of the
    collection "mixed" [c] says how much of the batch's each channel uses, from 0 to 1, the rest being stored. Where a
    mask is given the batch's moments are those of the positions it marks: padding is in no statistic. A batch without
    one leaves the running ones alone.
    Statistics are float32 whatever `dtype` is (Ioffe & Szegedy 2015, arXiv:1502.03167).
    """

    momentum: float = 0.9
    epsilon: float = 1e-5
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(
        self, x: Array, train: bool = False, frozen: frozenset[str] = frozenset(), *, mask: Array | None = None
    ) -> Array:
        """x [..., c] -> [..., c] in `dtype`; `frozen` holds paths such as "backbone/norm1".

        mask: 1 where a position counts, else 0; of x's axes but the last, of length 1 where it says nothing of them.
        """
        shape = (x.shape[-1],)
        mean = self.variable("batch_stats", "mean", jnp.zeros, shape, jnp.float32)
        var = self.variable("batch_stats", "var", jnp.ones, shape, jnp.float32)
        scale = self.param("scale", nn.initializers.ones_init(), shape, jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), shape, jnp.float32)
        m, v = stored = mean.value, var.value
        wide = (1,) * (x.ndim - 1) + shape
        x = x.astype(jnp.float32)
        if train and "/".join(self.path) not in frozen:
            mean_of, some = _moments(x, mask)
            m = mean_of(x)
            v = mean_of(jnp.square(x - m.reshape(wide)))
            m, v = (m, v) if some is None else (jnp.where(some, m, stored[0]), jnp.where(some, v, stored[1]))
            if not self.is_initializing():
                mean.value = self.momentum * mean.value + (1 - self.momentum) * m
                var.value = self.momentum * var.value + (1 - self.momentum) * v
            if self.has_variable("mixed", "mean"):
                share = jnp.asarray(self.get_variable("mixed", "mean"), jnp.float32)
                m, v = (share * new + (1 - share) * old for new, old in zip((m, v), stored, strict=True))
        gain = scale * jax.lax.rsqrt(v + self.epsilon)
        return (x * gain.reshape(wide) + (bias - m * gain).reshape(wide)).astype(self.dtype)


def _moments(x: Array, mask: Array | None) -> tuple[Callable[[Array], Array], Array | None]:
    """(the mean over all axes but the last where the mask is 1, whether there is such a position; None: surely)."""
    axes = tuple(range(x.ndim - 1))
    if mask is None:
        return lambda y: y.mean(axes), None
    weight = mask.astype(jnp.float32)[..., None]
    count = weight.sum() * (x.size // (x.shape[-1] * mask.size))
    return lambda y: (y * weight).sum(axes) / jnp.maximum(count, 1.0), count > 0


class Dropout(nn.Module):
    """Zero each entry with probability `rate` while training and scale the others by 1 / (1 - rate).

    With `channels`, whole channels of an image [n, h, w, c] are zeroed together (Tompson et al. 2015,
    arXiv:1411.4280). The mask depends on the key given to `Network.apply` and on the path, only; without
    a key nothing is zeroed.
    """

    rate: float
    channels: bool = False

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        """x [n, ...] -> [n, ...]."""
        if not train or self.rate == 0 or not self.has_rng("dropout"):
            return x
        shape = (x.shape[0], *(1,) * (x.ndim - 2), x.shape[-1]) if self.channels else x.shape
        keep = jax.random.bernoulli(self.make_rng("dropout"), 1 - self.rate, shape)
        return x * (keep / (1 - self.rate)).astype(x.dtype)


def max_pool(x: Array, window: int = 2, stride: int = 2, padding: int = 0) -> Array:
    """Maximum over windows of x [n, h, w, c] -> [n, oh, ow, c]; a last incomplete window is dropped.

    A reshape where windows do not overlap, slices where they do: the gradient of `reduce_window` is
    a scatter, several times slower on a CPU. Entries that tie share the gradient.

    Raises ValueError where no window fits.
    """
    if padding:
        low = jnp.array(-jnp.inf, x.dtype)
        x = jnp.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)), constant_values=low)
    n, h, w, c = x.shape
    if min(h, w) < window:
        raise ValueError(f"a window of {window} px does not fit a map of {h}x{w}")
    oh, ow = (h - window) // stride + 1, (w - window) // stride + 1
    if window == stride:
        x = x[:, : oh * window, : ow * window]
        return x.reshape(n, oh, window, ow, window, c).max((2, 4))
    x = reduce(jnp.maximum, (x[:, i : i + stride * (oh - 1) + 1 : stride] for i in range(window)))
    return reduce(jnp.maximum, (x[:, :, j : j + stride * (ow - 1) + 1 : stride] for j in range(window)))
