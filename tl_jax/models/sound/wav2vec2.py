"""wav2vec 2.0 and HuBERT for waves [n, samples], 1 being full scale: sizes as given, or as a published folder says."""

from collections.abc import Mapping
from math import gcd
from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import linen as nn
from jax import lax

from tl_jax.core.errors import UserError, require
from tl_jax.core.types import Array
from tl_jax.models.files.published import unknown_parts
from tl_jax.models.parts.layers import Dropout
from tl_jax.models.parts.masks import masked_mean
from tl_jax.models.parts.recipe import Frozen, Recipe
from tl_jax.models.parts.transformer import ACTIVATIONS, Block, Layers, dense, layer_norm
from tl_jax.models.sound.encoder import Conv1d
from tl_jax.models.sound.published_sound import Asked, heard, stack, usual_layers
from tl_jax.models.sound.waves import at_rate, counted, first, least, standard


class Sizes(NamedTuple):
    """Of the blocks, and of what stands before them.

    channels, windows: of the convolutions, and (width, hop) of each; norm: "group": the first is normalised over time,
    "layer": each over its channels; biased: whether they have a bias. near, groups: of the convolution that stands for
    places; projected: whether what the convolutions say is normalised; standard: whether every wave is.
    """

    of: Layers
    channels: tuple[int, ...] = (512,) * 7
    windows: tuple[tuple[int, int], ...] = ((10, 5), *((3, 2),) * 4, *((2, 2),) * 2)
    norm: str = "group"
    biased: bool = False
    activation: str = "gelu"
    near: int = 128
    groups: int = 16
    projected: bool = True
    standard: bool = True


class OverTime(nn.Module):
    """Every channel of an example to mean 0 and variance 1 over its valid steps, then scaled and shifted."""

    dtype: Any

    @nn.compact
    def __call__(self, x: Array, mask: Array) -> Array:
        """x [n, t, c], mask [n, t] -> [n, t, c]."""
        scale = self.param("scale", nn.initializers.ones_init(), (x.shape[-1],), jnp.float32)
        bias = self.param("bias", nn.initializers.zeros_init(), (x.shape[-1],), jnp.float32)
        x, wide = x.astype(jnp.float32), mask[:, :, None]
        count = wide.sum(1, keepdims=True)
        x = x - (x * wide).sum(1, keepdims=True) / count
        variance = (jnp.square(x) * wide).sum(1, keepdims=True) / count
        return (x * lax.rsqrt(variance + 1e-5) * scale[None, None] + bias[None, None]).astype(self.dtype)


class Layer(nn.Module):
    """A convolution over time, its normalisation if it has one, and the activation."""

    sizes: Sizes
    number: int
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, mask: Array) -> Array:
        """x [n, t, c], mask [n, t'] of what comes out -> [n, t', channels]."""
        size, i = self.sizes, self.number - 1
        width, hop = size.windows[i]
        how = {"bias": size.biased, "dtype": self.dtype, "form": self.form}
        x = Conv1d(size.channels[i], width, hop, **how, name="conv")(x)
        if size.norm == "layer":
            x = layer_norm(self.dtype, "norm", 1e-5)(x)
        elif i == 0:
            x = OverTime(self.dtype, name="norm")(x, mask)
        return ACTIVATIONS[size.activation](x)


class Extract(nn.Module):
    """The convolutions that make of samples what the transformer sees, 50 steps a second."""

    sizes: Sizes
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, length: Array) -> Array:
        """x [n, samples], length [n] -> [n, t, channels]; `counted` says how many steps see nothing of the padding."""
        windows = self.sizes.windows
        x = jnp.pad(x, ((0, 0), (0, max(0, least(windows) - x.shape[1]))))[:, :, None]
        for i, (width, hop) in enumerate(windows, 1):
            mask = first((x.shape[1] - width) // hop + 1, counted(length, windows[:i]))
            x = Layer(self.sizes, i, self.dtype, self.form, name=f"layer{i}")(x, mask)
        return x


class Embed(nn.Module):
    """Projection to the width of the blocks, and a convolution over wide neighbourhoods for the places."""

    sizes: Sizes
    dropout: float
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, mask: Array, train: bool) -> Array:
        """x [n, t, channels], mask [n, t] -> [n, t, d]."""
        size, of = self.sizes, self.sizes.of
        if size.projected:
            x = layer_norm(self.dtype, "norm1", of.epsilon)(x)
        x = dense(of.width, self.dtype, "dense1")(x)
        x = Dropout(self.dropout, name="dropout1")(x, train) * mask[:, :, None].astype(self.dtype)
        how = {"groups": size.groups, "scaled": True, "dtype": self.dtype, "form": self.form}
        near = Conv1d(of.width, size.near, 1, size.near // 2, **how, name="position")(x)[:, : x.shape[1]]
        x = x + ACTIVATIONS[size.activation](near)
        if not of.first:
            x = layer_norm(self.dtype, "norm2", of.epsilon)(x)
        return Dropout(self.dropout, name="dropout2")(x, train)


class Encoder(nn.Module):
    """Convolutions, projection and places, blocks, and the mean over the steps (see `wav2vec2`)."""

    sizes: Sizes
    rate: int
    dropout: float
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, samples] -> [n, width]."""
        size = self.sizes
        x, length = at_rate(x.astype(jnp.float32), self.rate)
        x = standard(x, length) if size.standard else x
        x = Extract(size, self.dtype, self.form, name="extract")(x, length)
        mask = first(x.shape[1], counted(length, size.windows))
        x = Embed(size, self.dropout, self.dtype, self.form, name="embed")(x, mask, train)
        for i in range(1, size.of.layers + 1):
            x = Block(size.of, self.dropout, self.dtype, name=f"block{i}")(x, mask, train)
        if size.of.first:
            x = layer_norm(self.dtype, "norm", size.of.epsilon)(x)
        return masked_mean(x, mask)


USUAL = Layers(768, 12, 12, 3072, first=False)
EXTRACTOR = (("backbone/extract/*", "frozen"),)
"""As published (`freeze_feature_encoder`): the convolutions keep the weights that they come with."""


class Rest(NamedTuple):
    """What a user may choose of a published network, too."""

    rate: int
    dropout: float
    bottleneck: int
    head: str


def _made(asked: Asked, rest: Rest) -> Recipe:
    of, read = stack(asked, USUAL, _read)
    sizes = (read or Sizes(of, groups=gcd(16, of.width)))._replace(standard=heard(asked).get("do_normalize", True))
    require(f"activation of {asked.family}", sizes.activation, ACTIVATIONS)
    require(f"feat_extract_norm of {asked.family}", sizes.norm, ("group", "layer"))
    if of.width % (groups := sizes.groups):
        raise UserError(f"{asked.family}: a width of {of.width} does not divide among {groups} groups of channels.")
    make = lambda dtype, form: Encoder(sizes, rest.rate, rest.dropout, dtype, form)
    frozen = EXTRACTOR if asked.place else ()
    return Recipe(make, rest.bottleneck, rest.head, pretrained=asked.pretrained, trims=True, freeze=frozen)


def _read(config: Mapping[str, Any]) -> tuple[Layers, Sizes]:
    unknown_parts(config, {"conv_pos_batch_norm": False, "add_adapter": False, "adapter_attn_dim": None})
    of = usual_layers(config, first=config.get("do_stable_layer_norm", False))
    return of, Sizes(
        of,
        tuple(config["conv_dim"]),
        tuple(zip(config["conv_kernel"], config["conv_stride"], strict=True)),
        config.get("feat_extract_norm", "group"),
        config.get("conv_bias", False),
        config.get("feat_extract_activation", "gelu"),
        config.get("num_conv_pos_embeddings", 128),
        config.get("num_conv_pos_embedding_groups", 16),
        config.get("feat_proj_layer_norm", True),
    )


def wav2vec2(
    *,
    from_: str = "",
    rate: int = 0,
    width: int = 768,
    layers: int = 12,
    heads: int = 12,
    dropout: float = 0.1,
    bottleneck: int = 256,
    head: str = "linear",
) -> Recipe:
    """wav2vec 2.0 (Baevski et al. 2020, arXiv 2006.11477): waves [n, samples], the mean over its steps of 20 ms.

    from: a folder with config.json, preprocessor_config.json and model.safetensors, or its name on the hub. rate: of
    the waves, 0 being 16,000 samples a second, or what a run's data have; others are resampled on the device.
    Zeros at the end change nothing.
    """
    return _made(Asked("wav2vec2", from_, (width, layers, heads)), Rest(rate, dropout, bottleneck, head))


def hubert(
    *,
    from_: str = "",
    rate: int = 0,
    width: int = 768,
    layers: int = 12,
    heads: int = 12,
    dropout: float = 0.1,
    bottleneck: int = 256,
    head: str = "linear",
) -> Recipe:
    """HuBERT (Hsu et al. 2021, arXiv 2106.07447): the network of wav2vec 2.0, trained to tell clusters of sounds."""
    return _made(Asked("hubert", from_, (width, layers, heads)), Rest(rate, dropout, bottleneck, head))
