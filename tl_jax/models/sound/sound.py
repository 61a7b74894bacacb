"""A network for sound: log-mel spectrogram and three convolutions."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn

from tl_jax.core.types import Array
from tl_jax.models.parts.conv import Conv
from tl_jax.models.parts.layers import BatchNorm, Dropout
from tl_jax.models.parts.masks import masked_mean
from tl_jax.models.parts.recipe import Frozen, Recipe
from tl_jax.models.sound.mel import Frames, log_mel, normalised, valid_frames


def halved(x: Array) -> Array:
    """Maximum over windows of 2x2 of x [n, h, w, c], h and w even; of entries that tie the first has the gradient.

    By selection: the gradient of `max` divides by the number of entries that equal the maximum, and where the
    compiler computes x twice, fused into the comparison, there may be none.
    """
    n, h, w, c = x.shape
    x = x.reshape(n, h // 2, 2, w, c)
    x = jnp.where(x[:, :, 0] >= x[:, :, 1], x[:, :, 0], x[:, :, 1]).reshape(n, h // 2, w // 2, 2, c)
    return jnp.where(x[:, :, :, 0] >= x[:, :, :, 1], x[:, :, :, 0], x[:, :, :, 1])


class AudioCnn(nn.Module):
    """Convolutions of 3x3 over time and bands, each normalised and pooled by two (see `audio_cnn`)."""

    frames: Frames
    widths: tuple[int, ...]
    dropout: float
    dtype: Any
    form: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, samples], 1 being full scale, zeros at the end being padding -> [n, widths[-1]]."""
        x = x.astype(jnp.float32)
        mask = valid_frames(x, self.frames)
        x = normalised(log_mel(x, self.frames), mask)
        # Full pools at every depth: what is heard does not depend on how much padding follows.
        fill = -x.shape[1] % 2 ** len(self.widths)
        x = jnp.pad(x, ((0, 0), (0, fill), (0, -x.shape[2] % 2 ** len(self.widths))))[..., None]
        mask = jnp.pad(mask, ((0, 0), (0, fill)))
        for i, width in enumerate(self.widths, 1):
            x = Conv(width, 3, dtype=self.dtype, form=self.form, name=f"conv{i}")(x)
            x = nn.relu(BatchNorm(dtype=self.dtype, name=f"norm{i}")(x, train, frozen, mask=mask[:, :, None]))
            x = halved(x * mask[:, :, None, None].astype(x.dtype))
            mask = mask.reshape(len(mask), -1, 2).max(2)
        return Dropout(self.dropout, name="dropout1")(masked_mean(x.mean(2), mask), train)


def audio_cnn(
    *,
    rate: int = 8000,
    window: float = 0.025,
    hop: float = 0.01,
    bands: int = 40,
    widths: tuple[int, ...] = (16, 32, 64),
    dropout: float = 0.2,
    bottleneck: int = 128,
) -> Recipe:
    """Log-mel spectrogram, normalised per utterance, then conv 3x3 of `widths`: sound [n, samples], int16 or float.

    rate: samples a second; window, hop: seconds. Zeros at the end are padding and change nothing.
    """
    frames = Frames(rate, round(window * rate), round(hop * rate), bands)
    return Recipe(lambda dtype, form: AudioCnn(frames, tuple(widths), dropout, dtype, form), bottleneck)
