"""The audio spectrogram transformer for waves [n, samples], 1 being full scale (see `ast`)."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import linen as nn

from tl_jax.core.types import Array
from tl_jax.models.files.published import unknown_parts
from tl_jax.models.parts.conv import Conv
from tl_jax.models.parts.layers import Dropout
from tl_jax.models.parts.recipe import Frozen, Recipe
from tl_jax.models.parts.transformer import INIT, Block, Layers, layer_norm
from tl_jax.models.sound.published_mel import HOP, WINDOW, kaldi_mel
from tl_jax.models.sound.published_sound import Asked, heard, stack, usual_layers
from tl_jax.models.sound.waves import at_rate, filled, until


class Picture(NamedTuple):
    """Of the spectrogram: its steps and bands, the patch, how far apart patches are in bands and in steps; mean and
    deviation of AudioSet: (x - mean) / (2 deviation)."""

    steps: int = 1024
    bands: int = 128
    patch: int = 16
    apart: tuple[int, int] = (10, 10)
    mean: float = -4.2677393
    deviation: float = 4.5689974


class Embed(nn.Module):
    """Overlapping patches, bands first, behind two tokens, and learned places."""

    width: int
    picture: Picture
    dropout: float
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        """x [n, steps, bands] -> [n, 2 + patches, width]."""
        how = {"strides": self.picture.apart, "padding": "VALID", "dtype": self.dtype, "form": self.form}
        x = Conv(self.width, self.picture.patch, **how, name="patches")(x.transpose(0, 2, 1)[..., None])
        x = x.reshape(len(x), -1, self.width)
        zero = nn.initializers.zeros_init()
        tokens = [self.param(name, zero, (1, 1, self.width)) for name in ("class_token", "distillation_token")]
        place = self.param("position", INIT, (1, x.shape[1] + 2, self.width))
        first = [jnp.broadcast_to(token.astype(self.dtype), (len(x), 1, self.width)) for token in tokens]
        x = jnp.concatenate([*first, x], axis=1) + place.astype(self.dtype)
        return Dropout(self.dropout, name="dropout1")(x, train)


class Encoder(nn.Module):
    """Kaldi's log-mel spectrogram as a picture, blocks, and the mean of the two tokens."""

    of: Layers
    picture: Picture
    rate: int
    dropout: float
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, samples] -> [n, width]. Raises UserError for waves longer than the picture."""
        of, picture = self.of, self.picture
        x, length = at_rate(x.astype(jnp.float32), self.rate)
        longest = WINDOW + (picture.steps - 1) * HOP
        x = kaldi_mel(filled(x, longest, HOP - 1), picture.bands)
        # As published: steps behind the wave are 0 before they are brought to the scale.
        x = until(x, jnp.maximum(1, 1 + (length - WINDOW) // HOP))
        x = (x - picture.mean) / (2 * picture.deviation)
        x = Embed(of.width, picture, self.dropout, self.dtype, self.form, name="embed")(x, train)
        for i in range(1, of.layers + 1):
            x = Block(of, self.dropout, self.dtype, name=f"block{i}")(x, None, train)
        return layer_norm(self.dtype, "norm", of.epsilon)(x)[:, :2].mean(1)


USUAL = Layers(768, 12, 12, 3072, 1e-12)


def _read(config: Mapping[str, Any]) -> tuple[Layers, Picture]:
    unknown_parts(config, {"qkv_bias": True})
    apart = (config.get("frequency_stride", 10), config.get("time_stride", 10))
    picture = Picture(
        config.get("max_length", 1024), config.get("num_mel_bins", 128), config.get("patch_size", 16), apart
    )
    return usual_layers(config, first=True), picture


def ast(
    *,
    from_: str = "",
    rate: int = 0,
    width: int = 768,
    layers: int = 12,
    heads: int = 12,
    dropout: float = 0.0,
    bottleneck: int = 256,
    head: str = "linear",
) -> Recipe:
    """The audio spectrogram transformer (Gong et al. 2021, arXiv 2104.01778): waves [n, samples] of up to 10.24 s.

    from: a folder with config.json, preprocessor_config.json and model.safetensors, or its name on the hub. rate: of
    the waves, 0 being 16,000 samples a second, or what a run's data have; others are resampled on the device.
    The feature is the mean of its two tokens; zeros at the end change nothing.
    """
    asked = Asked("ast", from_, (width, layers, heads))
    of, read = stack(asked, USUAL, _read)
    picture, said = read or Picture(), {"model_type": "ast", **heard(asked)}
    unknown_parts(said, {"num_mel_bins": picture.bands, "max_length": picture.steps, "do_normalize": True})
    picture = picture._replace(mean=said.get("mean", picture.mean), deviation=said.get("std", picture.deviation))
    make = lambda dtype, form: Encoder(of, picture, rate, dropout, dtype, form)
    return Recipe(make, bottleneck, head, pretrained=asked.pretrained)
