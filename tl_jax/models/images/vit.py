"""Vision transformers (Dosovitskiy et al. 2021, arXiv:2010.11929; tiny and small: arXiv:2012.12877)."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from tl_jax.core.errors import UserError
from tl_jax.core.types import Array
from tl_jax.models.parts.conv import Conv
from tl_jax.models.parts.recipe import HALF, IMAGENET, Frozen, Pixels, Recipe
from tl_jax.models.parts.transformer import INIT, Attention, dense, gelu, layer_norm


class Block(nn.Module):
    """x + attention(norm(x)), then x + dense(gelu(dense(norm(x)))) with four times the width."""

    heads: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x [n, t, d] -> [n, t, d]."""
        d = x.shape[-1]
        x = x + Attention(self.heads, self.dtype, name="attention")(layer_norm(self.dtype, "norm1")(x))
        y = layer_norm(self.dtype, "norm2")(x)
        y = gelu(dense(4 * d, self.dtype, "dense1")(y))
        return x + dense(d, self.dtype, "dense2")(y)


class ViT(nn.Module):
    """Patches as tokens after a class token, learned positions, blocks, norm; the class token is the feature."""

    width: int
    heads: int
    depth: int
    patch: int
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, h, w, c], h and w multiples of the patch -> [n, width]. Raises UserError for other sizes."""
        if x.shape[1] % self.patch or x.shape[2] % self.patch:
            size = f"{x.shape[1]}x{x.shape[2]}"
            raise UserError(f"Images of {size} px do not divide into patches of {self.patch}: resize them, as to 224.")
        x = Conv(self.width, self.patch, self.patch, "VALID", dtype=self.dtype, form=self.form, name="embed")(x)
        x = x.reshape(x.shape[0], -1, self.width)
        token = self.param("class_token", nn.initializers.zeros_init(), (1, 1, self.width), jnp.float32)
        position = self.param("position", INIT, (1, x.shape[1] + 1, self.width), jnp.float32)
        token = jnp.broadcast_to(token.astype(self.dtype), (x.shape[0], 1, self.width))
        x = jnp.concatenate([token, x], axis=1) + position.astype(self.dtype)
        for i in range(1, self.depth + 1):
            x = Block(self.heads, self.dtype, name=f"block{i}")(x)
        return layer_norm(self.dtype, "norm")(x[:, 0])


SCALES: dict[str, Pixels] = {"imagenet": IMAGENET, "half": HALF}


def vit(width: int, heads: int, *, scale: str, bottleneck: int, head: str) -> Recipe:
    """A depth of 12 and patches of 16; `scale` names what the weights expect of pixels."""
    if scale not in SCALES:
        raise UserError(f"scale={scale!r}: use 'imagenet' (torchvision, DeiT) or 'half' (timm's augreg, Hugging Face).")
    return Recipe(lambda dtype, form: ViT(width, heads, 12, 16, dtype, form), bottleneck, head, SCALES[scale])


def vit_tiny(*, scale: str = "half", bottleneck: int = 256, head: str = "linear") -> Recipe:
    """ViT-Ti/16, 192 features: x [n, h, w, 1 or 3], multiples of 16 px. scale="imagenet" for DeiT's weights."""
    return vit(192, 3, scale=scale, bottleneck=bottleneck, head=head)


def vit_small(*, scale: str = "half", bottleneck: int = 256, head: str = "linear") -> Recipe:
    """ViT-S/16, 384 features: x [n, h, w, 1 or 3], multiples of 16 px. scale="imagenet" for DeiT's weights."""
    return vit(384, 6, scale=scale, bottleneck=bottleneck, head=head)


def vit_base(*, scale: str = "half", bottleneck: int = 256, head: str = "linear") -> Recipe:
    """ViT-B/16, 768 features: x [n, h, w, 1 or 3], multiples of 16 px.

    scale="imagenet" for torchvision's and DeiT's weights, "half" for Google's (Hugging Face, timm's augreg).
    """
    return vit(768, 12, scale=scale, bottleneck=bottleneck, head=head)
