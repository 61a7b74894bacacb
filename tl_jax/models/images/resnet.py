"""Residual networks (He et al. 2016, arXiv:1512.03385), strides as in torchvision's v1.5."""

from typing import Any

from flax import linen as nn

from tl_jax.core.types import Array
from tl_jax.models.parts.conv import Conv
from tl_jax.models.parts.layers import BatchNorm, max_pool
from tl_jax.models.parts.recipe import IMAGENET, Frozen, Recipe


class Block(nn.Module):
    """Convolutions, each normalised, added to their input: 3x3, 3x3, or (deep) 1x1, 3x3, 1x1 to 4 * width.

    The stride is that of the first 3x3 convolution.
    """

    width: int
    stride: int
    deep: bool
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, h, w, c] -> [n, h / stride, w / stride, width or 4 * width]."""

        def normed(x: Array, width: int, kernel: int, stride: int, name: str) -> Array:
            x = Conv(
                width,
                kernel,
                stride,
                padding=kernel // 2,
                use_bias=False,
                dtype=self.dtype,
                form=self.form,
                kernel_init=nn.initializers.he_normal(),
                name=f"conv{name}",
            )(x)
            return BatchNorm(dtype=self.dtype, name=f"norm{name}")(x, train, frozen)

        width = self.width
        layers = ((width, 1, 1), (width, 3, self.stride), (4 * width, 1, 1))
        layers = layers if self.deep else ((width, 3, self.stride), (width, 3, 1))
        y = x
        for i, (out, kernel, stride) in enumerate(layers, 1):
            y = normed(y, out, kernel, stride, str(i))
            y = nn.relu(y) if i < len(layers) else y
        if x.shape != y.shape:
            x = normed(x, y.shape[-1], 1, self.stride, "_skip")
        return nn.relu(x + y)


class Stage(nn.Module):
    """Blocks of one width; the first has the stride."""

    depth: int
    width: int
    stride: int
    deep: bool
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, h, w, c] -> [n, h / stride, w / stride, width or 4 * width]."""
        for i in range(1, self.depth + 1):
            stride = self.stride if i == 1 else 1
            x = Block(self.width, stride, self.deep, self.dtype, self.form, name=f"block{i}")(x, train, frozen)
        return x


class ResNet(nn.Module):
    """7x7 convolution and pooling (a quarter of the size), four stages of blocks, the mean over positions."""

    depths: tuple[int, ...]
    deep: bool
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, h, w, c] -> [n, 512 or 2048]."""
        init = nn.initializers.he_normal()
        common = {"use_bias": False, "dtype": self.dtype, "form": self.form, "kernel_init": init}
        x = Conv(64, 7, strides=2, padding=3, name="conv1", **common)(x)
        x = nn.relu(BatchNorm(dtype=self.dtype, name="norm1")(x, train, frozen))
        x = max_pool(x, window=3, stride=2, padding=1)
        for i, depth in enumerate(self.depths, 1):
            stage = Stage(
                depth,
                64 * 2 ** (i - 1),
                1 if i == 1 else 2,
                self.deep,
                self.dtype,
                self.form,
                name=f"stage{i}",
            )
            x = stage(x, train, frozen)
        return x.mean((1, 2))


def resnet(depths: tuple[int, ...], deep: bool, bottleneck: int, head: str) -> Recipe:
    """Depths of the four stages -> Recipe."""
    return Recipe(lambda dtype, form: ResNet(depths, deep, dtype, form), bottleneck, head, IMAGENET)


def resnet18(*, bottleneck: int = 256, head: str = "linear") -> Recipe:
    """ResNet-18, 512 features: x [n, h, w, 1 or 3], any size (classically 224 px)."""
    return resnet((2, 2, 2, 2), False, bottleneck, head)


def resnet34(*, bottleneck: int = 256, head: str = "linear") -> Recipe:
    """ResNet-34, 512 features: x [n, h, w, 1 or 3], any size (classically 224 px)."""
    return resnet((3, 4, 6, 3), False, bottleneck, head)


def resnet50(*, bottleneck: int = 256, head: str = "linear") -> Recipe:
    """ResNet-50, 2048 features: x [n, h, w, 1 or 3], any size (classically 224 px)."""
    return resnet((3, 4, 6, 3), True, bottleneck, head)


def resnet101(*, bottleneck: int = 256, head: str = "linear") -> Recipe:
    """ResNet-101, 2048 features: x [n, h, w, 1 or 3], any size (classically 224 px)."""
    return resnet((3, 4, 23, 3), True, bottleneck, head)
