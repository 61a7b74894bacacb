"""Convolution in two forms that agree to rounding: XLA's own, and patches with one matrix product."""

from functools import reduce
from typing import Any

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from tl_jax.core.types import Array

Pair = tuple[int, int]
FORMS = ("lax", "patches")
KEPT = 2**26
"""Bytes of one layer's patches that are kept for the gradient; more are made again (1/10 slower)."""


def conv_form(platform: str, trials_vmapped: bool) -> str:
    """The faster form for a platform ("cpu", "gpu", "tpu") and a way of running trials.

    On a CPU XLA runs a convolution inside a `scan` or `while` loop single-threaded and without its
    fast kernels (20 times slower than PyTorch on a LeNet), while matrix products keep theirs.
    Accelerators have good convolution kernels, but `vmap` over kernels turns one into a grouped
    convolution, which they run slowly; a batched matrix product is what they are built for.
    """
    return "patches" if platform == "cpu" or trials_vmapped else "lax"


def pair(value: int | Pair) -> Pair:
    """3 -> (3, 3)."""
    return (value, value) if isinstance(value, int) else value


def pads(size: Pair, kernel: Pair, strides: Pair, padding: str | int) -> tuple[Pair, Pair]:
    """((top, bottom), (left, right)) for an input of `size`, following lax for "SAME" and "VALID"."""
    if isinstance(padding, int):
        return (padding, padding), (padding, padding)
    if padding not in ("SAME", "VALID"):
        raise ValueError(f'padding is {padding!r}; it can be "SAME", "VALID" or an int (symmetric)')
    (top, bottom), (left, right) = lax.padtype_to_pads(size, kernel, strides, padding)
    return (top, bottom), (left, right)


def positions(x: Array, kernel: Pair, strides: Pair) -> Pair:
    """(oh, ow), the windows that fit along each axis of a padded x [n, h, w, c]."""
    return (x.shape[1] - kernel[0]) // strides[0] + 1, (x.shape[2] - kernel[1]) // strides[1] + 1


def patches(x: Array, kernel: Pair, strides: Pair) -> Array:
    """[n, h, w, c] -> [n, oh, ow, kh * kw * c], the window of each output in the order of HWIO.

    First the columns of every window, then its rows: kw + kh copies instead of kh * kw, which with
    few channels (images) takes a third of the time.
    """
    (kh, kw), (sh, sw) = kernel, strides
    oh, ow = positions(x, kernel, strides)
    if kernel == strides:  # windows that do not overlap: one transposition
        x = x[:, : oh * kh, : ow * kw].reshape(-1, oh, kh, ow, kw, x.shape[-1])
        return x.transpose(0, 1, 3, 2, 4, 5).reshape(x.shape[0], oh, ow, -1)
    x = jnp.concatenate([x[:, :, j : j + sw * (ow - 1) + 1 : sw] for j in range(kw)], axis=-1)
    return jnp.concatenate([x[:, i : i + sh * (oh - 1) + 1 : sh] for i in range(kh)], axis=-1)


def product(x: Array, kernel: Array, strides: Pair) -> Array:
    """Patches of x [n, h, w, c] times kernel [kh, kw, c, d] -> [n, oh, ow, d]."""
    rows = patches(x, (kernel.shape[0], kernel.shape[1]), strides)
    n, oh, ow, size = rows.shape
    rows, columns = rows.reshape(-1, size), kernel.reshape(size, -1)
    if n * oh * ow > size:
        # For the gradient: the barrier keeps dy^T @ rows as it stands, on a CPU a third faster than
        # rows^T @ dy, into which XLA would turn it. With few rows the transposition costs more.
        y = lax.dot_general(rows, lax.optimization_barrier(columns.T), (((1,), (1,)), ((), ())))
    else:
        y = rows @ columns
    return y.reshape(n, oh, ow, -1)


def depthwise(x: Array, kernel: Array, strides: Pair) -> Array:
    """Every channel of x [n, h, w, c] with its own kernel [kh, kw, 1, c] -> [n, oh, ow, c].

    A sum of shifted slices, kh * kw of them, which a CPU runs in one pass over x; inside a scan XLA's
    grouped convolution takes 40 times as long.
    """
    (kh, kw), (sh, sw) = kernel.shape[:2], strides
    oh, ow = positions(x, (kh, kw), strides)
    shifted = (
        x[:, i : i + sh * (oh - 1) + 1 : sh, j : j + sw * (ow - 1) + 1 : sw] * kernel[i, j].reshape(1, 1, 1, -1)
        for i in range(kh)
        for j in range(kw)
    )
    return reduce(jnp.add, shifted)


def conv2d(x: Array, kernel: Array, strides: Pair, padding: str | int, form: str) -> Array:
    """Cross-correlation of x [n, h, w, c] with kernel [kh, kw, c, d] -> [n, oh, ow, d].

    A kernel [kh, kw, 1, c], where c is not 1, has one filter for every channel (depthwise).
    """
    if form not in FORMS:
        raise ValueError(f"form is {form!r}; it can be one of {FORMS}")
    window = (kernel.shape[0], kernel.shape[1])
    margins = pads((x.shape[1], x.shape[2]), window, strides, padding)
    groups = x.shape[-1] // kernel.shape[2]
    if form == "lax":
        layout = ("NHWC", "HWIO", "NHWC")
        return lax.conv_general_dilated(
            x, kernel, strides, margins, dimension_numbers=layout, feature_group_count=groups
        )
    if any(max(m) for m in margins):
        x = jnp.pad(x, ((0, 0), *margins, (0, 0)))
    if groups > 1:
        return depthwise(x, kernel, strides)
    oh, ow = positions(x, window, strides)
    if x.shape[0] * oh * ow * kernel.size // kernel.shape[-1] * x.dtype.itemsize > KEPT:
        return jax.checkpoint(product, static_argnums=2)(x, kernel, strides)
    return product(x, kernel, strides)


class Conv(nn.Module):
    """A convolution of [n, h, w, c] with parameters as nn.Conv's: kernel [kh, kw, c, d], bias [d].

    Parameters are float32; the product is computed in `dtype`, which is also the output's.
    """

    features: int
    kernel_size: int | Pair
    strides: int | Pair = 1
    padding: str | int = "SAME"
    use_bias: bool = True
    dtype: Any = jnp.float32
    form: str = "lax"
    depthwise: bool = False
    """One filter for each channel: `features` is the number of channels, the kernel is [kh, kw, 1, c]."""
    kernel_init: nn.initializers.Initializer = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x [n, h, w, c] -> [n, oh, ow, features]."""
        shape = (*pair(self.kernel_size), 1 if self.depthwise else x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        x = conv2d(x.astype(self.dtype), kernel.astype(self.dtype), pair(self.strides), self.padding, self.form)
        if not self.use_bias:
            return x
        bias = self.param("bias", nn.initializers.zeros_init(), (self.features,), jnp.float32)
        return x + bias.astype(self.dtype).reshape(1, 1, 1, -1)
