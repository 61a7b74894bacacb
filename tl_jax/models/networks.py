"""Backbones for digits and vectors, the table of all networks, and `build`: a name and its arguments -> Network."""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from tl_jax.core.errors import require
from tl_jax.core.types import Array, Network, Output
from tl_jax.models.heads import HEADS, Bottleneck
from tl_jax.models.images.cnn import cnn
from tl_jax.models.images.convnext import convnext_tiny
from tl_jax.models.images.densenet import densenet121
from tl_jax.models.images.dinov2 import dinov2
from tl_jax.models.images.efficientnet import efficientnet_b0
from tl_jax.models.images.mobilenet import mobilenet_v2
from tl_jax.models.images.pixels import rescale
from tl_jax.models.images.resnet import resnet18, resnet34, resnet50, resnet101
from tl_jax.models.images.swin import swin_tiny
from tl_jax.models.images.vgg import vgg16
from tl_jax.models.images.vit import vit_base, vit_small, vit_tiny
from tl_jax.models.pairs.pairs import clip, clip_text, siglip, siglip_text
from tl_jax.models.parts.conv import Conv
from tl_jax.models.parts.layers import BatchNorm, Dropout, max_pool
from tl_jax.models.parts.pure import as_network
from tl_jax.models.parts.recipe import HALF, Frozen, Pixels, Recipe, as_recipe, features
from tl_jax.models.sequences.bert import bert, distilbert, minilm, modernbert, roberta
from tl_jax.models.sequences.deberta import deberta_v3
from tl_jax.models.sequences.series import conv1d, gru
from tl_jax.models.sequences.text import text_cnn, text_transformer
from tl_jax.models.sound.sound import audio_cnn
from tl_jax.models.sound.spectrogram import ast
from tl_jax.models.sound.wav2vec2 import hubert, wav2vec2
from tl_jax.models.sound.whisper import whisper_encoder
from tl_jax.naming.calls import Call, parse


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


class Classifier(nn.Module):
    """Pixels on the backbone's scale, backbone, bottleneck (unless its width is 0) and a head in float32."""

    backbone: nn.Module
    bottleneck: nn.Module | None
    head: nn.Module
    pixels: Pixels | None

    def __call__(self, x: Array, train: bool = False, frozen: Frozen = frozenset()) -> Output:
        """x [n, ...] -> Output(features [n, d], logits [n, classes]), float32."""
        if self.pixels:
            x = rescale(x, self.pixels)
        x = features(self.backbone, x, train, frozen)
        if self.bottleneck is not None:
            x = self.bottleneck(x, train, frozen)
        x = x.astype(jnp.float32)
        return Output(x, self.head(x, train))


def mlp(
    *, hidden: tuple[int, ...] = (128,), dropout: float = 0.2, bottleneck: int = 256, head: str = "linear"
) -> Recipe:
    """Dense layers of the given widths for vectors or small images: x [n, ...]."""
    return Recipe(lambda dtype, form: Mlp(tuple(hidden), dropout, dtype), bottleneck, head)


def lenet(*, norm: bool = True, dropout: float = 0.5, bottleneck: int = 256, head: str = "linear") -> Recipe:
    """LeNet of the digits protocols (LeCun et al. 1998): x [n, h, w, c], h and w from 4 px.

    conv 5x5-20, pool, relu, conv 5x5-50, pool, relu, dense 500, relu, dropout; `norm` normalises
    after each pooling. 28 px end in a 4x4 map (800 values). Under 28 px the first convolution
    is padded, so that 16 px end in 2x2; under 16 px the second is padded too.
    """
    return Recipe(lambda dtype, form: LeNet(norm, dropout, dtype, form), bottleneck, head)


def dtn(*, bottleneck: int = 256, head: str = "linear") -> Recipe:
    """The network of the SVHN -> MNIST protocols: x [n, h, w, c] (Long et al. 2018, arXiv:1705.10667)."""
    return Recipe(lambda dtype, form: Dtn(dtype, form), bottleneck, head)


NETWORKS: dict[str, Callable[..., Recipe]] = {
    "mlp": mlp,
    "lenet": lenet,
    "cnn": cnn,
    "dtn": dtn,
    "vgg16": vgg16,
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "resnet101": resnet101,
    "mobilenet_v2": mobilenet_v2,
    "vit_tiny": vit_tiny,
    "vit_small": vit_small,
    "vit_base": vit_base,
    "convnext_tiny": convnext_tiny,
    "swin_tiny": swin_tiny,
    "efficientnet_b0": efficientnet_b0,
    "densenet121": densenet121,
    "dinov2": dinov2,
    "clip": clip,
    "siglip": siglip,
    "gru": gru,
    "conv1d": conv1d,
    "text_cnn": text_cnn,
    "text_transformer": text_transformer,
    "bert": bert,
    "roberta": roberta,
    "distilbert": distilbert,
    "minilm": minilm,
    "modernbert": modernbert,
    "deberta_v3": deberta_v3,
    "clip_text": clip_text,
    "siglip_text": siglip_text,
    "audio_cnn": audio_cnn,
    "wav2vec2": wav2vec2,
    "hubert": hubert,
    "whisper_encoder": whisper_encoder,
    "ast": ast,
}
TAKES: Mapping[str, tuple[str, ...]] = {
    "mlp": ("vector", "image", "series"),
    "gru": ("text", "series"),
    "conv1d": ("series",),
    "text_cnn": ("text",),
    "text_transformer": ("text",),
    "bert": ("text",),
    "roberta": ("text",),
    "distilbert": ("text",),
    "minilm": ("text",),
    "modernbert": ("text",),
    "deberta_v3": ("text",),
    "clip_text": ("text",),
    "siglip_text": ("text",),
    "audio_cnn": ("sound",),
    "wav2vec2": ("sound",),
    "hubert": ("sound",),
    "whisper_encoder": ("sound",),
    "ast": ("sound",),
}
"""The kinds of examples of the networks that are not for images alone."""
RESAMPLING = ("wav2vec2", "hubert", "whisper_encoder", "ast")
"""Networks that bring sound to the rate they hear, on the device, from the `rate` of their call."""
TRUNKS = (Recipe, nn.Module)
"""What a function that makes a network gives."""
EVERY = ("image", "vector", "text", "sound", "series")


def modalities(name: str) -> tuple[str, ...]:
    """The kinds of examples that a network takes; those of a user's own are tried when it is built."""
    return TAKES.get(name, ("image",) if name in NETWORKS else EVERY)


def network(text: str) -> Call:
    """'lenet(dropout=0.2)' or 'mine.py:mixer(width=16)' -> Call, which gives a Recipe or a trunk as a Flax module."""
    return parse(text, NETWORKS, "network", TRUNKS)


def pixels_of(call: Callable[[], Recipe | nn.Module]) -> dict[str, tuple[float, ...]]:
    """Mean and standard deviation, on the scale [0, 1], that a network's input in [0, 1] is brought to."""
    pixels = as_recipe(call()).pixels or HALF
    return {"mean": pixels.mean, "std": pixels.std}


def build(made: Recipe | nn.Module, classes: int, dtype: Any = jnp.float32, form: str = "lax") -> Network:
    """The Network of a recipe, such as lenet(norm=True), or of a trunk, with a head of `classes`.

    `dtype` is the precision of the computation (parameters, features and logits stay float32) and
    `form` the form of the convolutions (see `conv_form`).
    """
    recipe = as_recipe(made)
    require("head", recipe.head, HEADS)
    return as_network(
        Classifier(
            recipe.backbone(dtype, form),
            Bottleneck(recipe.bottleneck, dtype) if recipe.bottleneck else None,
            HEADS[recipe.head](classes),
            recipe.pixels,
        )
    )
