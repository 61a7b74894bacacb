"""The encoder of Whisper for waves [n, samples], 1 being full scale: sizes as given, or as a published folder says."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn

from tl_jax.core.types import Array
from tl_jax.models.files.published import unknown_parts
from tl_jax.models.parts.layers import Dropout
from tl_jax.models.parts.masks import masked_mean
from tl_jax.models.parts.recipe import Frozen, Recipe
from tl_jax.models.parts.transformer import Block, Layers, gelu, layer_norm
from tl_jax.models.sound.encoder import Conv1d
from tl_jax.models.sound.published_mel import HOP, WINDOW, whisper_mel
from tl_jax.models.sound.published_sound import Asked, heard, stack
from tl_jax.models.sound.waves import RATE, at_rate, filled, first

USUAL = Layers(512, 6, 8, 2048)
PLACES = 1500
"""Of 20 ms each: 30 s."""
SINES = (("backbone/embed/position", "frozen"),)
"""As published: the places are sines, which are not trained."""


def sines(places: int, width: int) -> np.ndarray:
    """[places, width]: sin and cos of t 10000^(-i / (width / 2 - 1))."""
    scale = 10000.0 ** (-np.arange(width // 2) / max(1, width // 2 - 1))
    angle = np.arange(places)[:, None] * scale[None]
    return np.concatenate([np.sin(angle), np.cos(angle)], axis=1).astype(np.float32)


class Embed(nn.Module):
    """Two convolutions over time, the second at every other step, and the places."""

    width: int
    places: int
    dropout: float
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool) -> Array:
        """x [n, 2 places, bands] -> [n, places, width]."""
        how = {"padding": 1, "dtype": self.dtype, "form": self.form}
        x = gelu(Conv1d(self.width, 3, 1, **how, name="conv1")(x))
        x = gelu(Conv1d(self.width, 3, 2, **how, name="conv2")(x))
        place = self.param("position", lambda key: jnp.asarray(sines(self.places, self.width)))
        return Dropout(self.dropout, name="dropout1")(x + place.astype(self.dtype)[None], train)


class Encoder(nn.Module):
    """Log-mel spectrogram of the whole window, blocks, and the mean over the steps that hold sound."""

    of: Layers
    bands: int
    places: int
    rate: int
    dropout: float
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, samples] -> [n, width]. Raises UserError for waves longer than the window."""
        whole, of = self.places * 2 * HOP, self.of
        x, length = at_rate(x.astype(jnp.float32), self.rate)
        x = whisper_mel(filled(x, whole), self.bands)
        x = Embed(of.width, self.places, self.dropout, self.dtype, self.form, name="embed")(x, train)
        for i in range(1, of.layers + 1):
            x = Block(of, self.dropout, self.dtype, name=f"block{i}")(x, None, train)
        x = layer_norm(self.dtype, "norm", of.epsilon)(x)
        steps = jnp.clip(-(-length // (2 * HOP)), 1, self.places)
        return masked_mean(x, first(self.places, steps))


def _read(config: Mapping[str, Any]) -> tuple[Layers, tuple[int, int]]:
    unknown_parts(config, {"scale_embedding": False})
    of = Layers(
        config["d_model"],
        config["encoder_layers"],
        config["encoder_attention_heads"],
        config["encoder_ffn_dim"],
        activation=config.get("activation_function", "gelu"),
    )
    return of, (config.get("num_mel_bins", 80), config.get("max_source_positions", PLACES))


def whisper_encoder(
    *,
    from_: str = "",
    rate: int = 0,
    width: int = 512,
    layers: int = 6,
    heads: int = 8,
    dropout: float = 0.0,
    bottleneck: int = 256,
    head: str = "linear",
) -> Recipe:
    """The encoder of Whisper (Radford et al. 2022, arXiv 2212.04356): waves [n, samples], heard as 30 s with silence.

    from: a folder with config.json, preprocessor_config.json and model.safetensors, or its name on the hub. rate: of
    the waves, 0 being 16,000 samples a second, or what a run's data have; others are resampled on the device.
    The feature is the mean over the steps (20 ms) of the wave without the zeros at its end.
    """
    asked = Asked("whisper_encoder", from_, (width, layers, heads))
    of, read = stack(asked, USUAL, _read)
    bands, places = read or (80, PLACES)
    said = heard(asked)
    wanted = {"n_fft": WINDOW, "hop_length": HOP, "feature_size": bands, "chunk_length": places * 2 * HOP / RATE}
    unknown_parts({"model_type": "whisper_encoder", **said}, {**wanted, "do_normalize": False, "padding_value": 0.0})
    make = lambda dtype, form: Encoder(of, bands, places, rate, dropout, dtype, form)
    return Recipe(make, bottleneck, head, pretrained=asked.pretrained, freeze=SINES if from_ else ())
