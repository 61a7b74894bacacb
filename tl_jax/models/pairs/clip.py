"""The towers of CLIP (Radford et al. 2021, arXiv 2103.00020) and SigLIP (Zhai et al. 2023, arXiv 2303.15343)."""

from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import linen as nn

from tl_jax.core.errors import UserError
from tl_jax.core.types import Array
from tl_jax.models.files.published import Sizes, in_vocabulary
from tl_jax.models.parts.attention import attend
from tl_jax.models.parts.conv import Conv
from tl_jax.models.parts.recipe import Frozen
from tl_jax.models.parts.transformer import ACTIVATIONS, INIT, Attention, dense, layer_norm


class Form(NamedTuple):
    """Of a tower: its blocks, and how many features it ends in.

    sigmoid: whether it is SigLIP's, which has no causal mask, no class token, biases where CLIP has none, and pools by
    attention.
    """

    width: int
    layers: int
    heads: int
    hidden: int
    epsilon: float
    activation: str
    features: int
    sigmoid: bool = False


def _mlp(form: Form, dtype: Any, x: Array) -> Array:
    """dense2(act(dense1(x))), layers of the module that calls this."""
    y = ACTIVATIONS[form.activation](dense(form.hidden, dtype, "dense1")(x))
    return dense(x.shape[-1], dtype, "dense2")(y)


def _projection(form: Form, dtype: Any) -> nn.Dense:
    return dense(form.features, dtype, "projection", bias=form.sigmoid)


class Block(nn.Module):
    """x + attention(norm(x)), then x + dense(act(dense(norm(x))))."""

    form: Form
    causal: bool
    dtype: Any

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x [n, t, d] -> [n, t, d]."""
        form = self.form
        norm = lambda name: layer_norm(self.dtype, name, form.epsilon)
        x = x + Attention(form.heads, self.dtype, self.causal, name="attention")(norm("norm1")(x))
        return x + _mlp(form, self.dtype, norm("norm2")(x))


class Pool(nn.Module):
    """One learned query attends to all places; then y + dense(act(dense(norm(y))))."""

    form: Form
    dtype: Any

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x [n, t, d] -> [n, d]."""
        n, t, d = x.shape
        probe = self.param("probe", INIT, (1, 1, d), jnp.float32).astype(self.dtype)
        x = jnp.concatenate([jnp.broadcast_to(probe, (n, 1, d)), x], axis=1)
        qkv = dense(3 * d, self.dtype, "qkv")(x)
        q, k, v = (a.reshape(n, t + 1, self.form.heads, -1) for a in jnp.split(qkv, 3, axis=-1))
        y = attend(q[:, :1], k[:, 1:], v[:, 1:]).reshape(n, d)
        y = dense(d, self.dtype, "out")(y)
        return y + _mlp(self.form, self.dtype, layer_norm(self.dtype, "norm", self.form.epsilon)(y))


class ImageTower(nn.Module):
    """Patches as tokens with learned positions, blocks, and the class token projected, or pooling by attention."""

    form: Form
    patch: int
    dtype: Any
    conv: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, h, w, 3], h and w multiples of the patch -> [n, features]. Raises UserError for other sizes."""
        form, n = self.form, x.shape[0]
        if x.shape[1] % self.patch or x.shape[2] % self.patch:
            size = f"{x.shape[1]}x{x.shape[2]}"
            raise UserError(
                f"Images of {size} px do not divide into patches of {self.patch}: give the network a size=."
            )
        how = {"use_bias": form.sigmoid, "dtype": self.dtype, "form": self.conv}
        embed = Conv(form.width, self.patch, self.patch, "VALID", **how, name="embed")
        x, tokens = embed(x).reshape(n, -1, form.width), 0 if form.sigmoid else 1
        if tokens:
            token = self.param("class_token", INIT, (1, 1, form.width), jnp.float32).astype(self.dtype)
            x = jnp.concatenate([jnp.broadcast_to(token, (n, 1, form.width)), x], axis=1)
        x = x + self.param("position", INIT, (1, x.shape[1], form.width), jnp.float32).astype(self.dtype)
        norm = lambda name: layer_norm(self.dtype, name, form.epsilon)
        x = norm("pre_norm")(x) if tokens else x
        for i in range(1, form.layers + 1):
            x = Block(form, False, self.dtype, name=f"block{i}")(x)
        if form.sigmoid:
            return Pool(form, self.dtype, name="pool")(norm("norm")(x))
        return _projection(form, self.dtype)(norm("norm")(x[:, 0]))


class Words(nn.Module):
    """word + position."""

    sizes: Sizes
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, context: Array | None, at: int) -> Array:
        """x [n, t] ids -> [n, t, d]; with a context [m, d], that stands in every row from `at` on, [n, m + t, d]."""
        table = lambda rows, name: nn.Embed(rows, self.sizes.width, embedding_init=INIT, dtype=self.dtype, name=name)
        y = table(self.sizes.vocabulary, "word")(x)
        if context is not None:
            rows = jnp.broadcast_to(context[None].astype(y.dtype), (y.shape[0], *context.shape))
            y = jnp.concatenate([y[:, :at], rows, y[:, at:]], axis=1)
        return y + table(self.sizes.positions, "position")(jnp.arange(y.shape[1])[None])


class TextTower(nn.Module):
    """Words with learned positions, blocks, and the last word's state (CLIP: at the end of the text) projected.

    end: the id at a text's end; 0: the greatest id of a text is its end, as configs of CLIP before 2023 mean it.
    SigLIP's texts are filled up to all places, with padding that is attended to, as it was trained.
    """

    sizes: Sizes
    form: Form
    end: int
    dtype: Any

    @nn.compact
    def __call__(
        self, x: Array, train: bool = False, frozen: Frozen = frozenset(), context: Array | None = None, at: int = 0
    ) -> Array:
        """x [n, t] ids -> [n, features]; context [m, d]: see `Words`. Raises UserError if places are too few."""
        size, form, extra = self.sizes, self.form, 0 if context is None else len(context)
        x = in_vocabulary(x, size)
        if (t := x.shape[1] + extra) > size.positions:
            raise UserError(f"Texts of {t} word pieces: this network has {size.positions} places.")
        if form.sigmoid:
            x = jnp.pad(x, ((0, 0), (0, size.positions - t)), constant_values=size.pad)
        y = Words(size, self.dtype, name="embed")(x, context, at)
        for i in range(1, form.layers + 1):
            y = Block(form, not form.sigmoid, self.dtype, name=f"block{i}")(y)
        y = layer_norm(self.dtype, "norm", form.epsilon)(y)
        last = (
            jnp.full(x.shape[0], x.shape[1] - 1)
            if form.sigmoid
            else jnp.argmax(x == self.end if self.end else x, axis=1)
        )
        y = y[jnp.arange(x.shape[0]), last + extra]
        return _projection(form, self.dtype)(y)
