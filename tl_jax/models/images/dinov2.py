"""DINOv2 (Oquab et al. 2023, arXiv:2304.07193), with registers (Darcet et al. 2023, arXiv:2309.16588) or without."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from flax import linen as nn

from tl_jax.core.errors import UserError, require
from tl_jax.core.types import Array
from tl_jax.models.files.published import check_alone, check_stack, published
from tl_jax.models.parts.conv import Conv
from tl_jax.models.parts.places import resized
from tl_jax.models.parts.recipe import IMAGENET, Frozen, Pretrained, Recipe
from tl_jax.models.parts.transformer import ACTIVATIONS, INIT, Attention, dense, layer_norm

POOLING = ("cls", "mean", "both")


class Form(NamedTuple):
    """Of a trunk. patch: px; grid: patches a side for which positions are stored; registers: tokens that stand for
    nothing; hidden: width inside a block; gated: there silu(a) * b; smooth: how positions are interpolated."""

    width: int
    layers: int
    heads: int
    patch: int
    grid: int
    registers: int
    hidden: int
    gated: bool = False
    smooth: bool = False
    activation: str = "gelu"
    epsilon: float = 1e-6


class Block(nn.Module):
    """x + s1 * attention(norm(x)), then x + s2 * dense(act(dense(norm(x)))); the scales s are 1 at first."""

    form: Form
    dtype: Any

    @nn.compact
    def __call__(self, x: Array) -> Array:
        """x [n, t, d] -> [n, t, d]."""
        form = self.form
        wide = lambda width, name: dense(width, self.dtype, name)
        norm = lambda name: layer_norm(self.dtype, name, form.epsilon)
        x = x + self._scaled(Attention(form.heads, self.dtype, name="attention")(norm("norm1")(x)), "layer_scale1")
        y = norm("norm2")(x)
        if form.gated:
            a, b = jnp.split(wide(2 * form.hidden, "gate1")(y), 2, axis=-1)
            y = wide(form.width, "gate2")(nn.silu(a) * b)
        else:
            y = wide(form.width, "dense2")(ACTIVATIONS[form.activation](wide(form.hidden, "dense1")(y)))
        return x + self._scaled(y, "layer_scale2")

    def _scaled(self, y: Array, name: str) -> Array:
        scale = self.param(name, nn.initializers.ones_init(), y.shape[-1:], jnp.float32)
        return y * scale.astype(y.dtype).reshape(1, 1, -1)


class Dinov2(nn.Module):
    """Class token, registers and patches with learned positions (of registers none), blocks, norm (see `dinov2`)."""

    form: Form
    pooling: str
    dtype: Any
    conv: str

    @nn.compact
    def __call__(self, x: Array, train: bool, frozen: Frozen) -> Array:
        """x [n, h, w, c], h and w multiples of the patch -> [n, width], of "both" [n, 2 * width].

        Raises UserError for other sizes.
        """
        form, (n, h, w, _) = self.form, x.shape
        if h % form.patch or w % form.patch:
            near = 16 * form.patch
            raise UserError(
                f"Images of {h}x{w} px do not divide into patches of {form.patch}: resize them, as to {near}."
            )
        x = Conv(form.width, form.patch, form.patch, "VALID", dtype=self.dtype, form=self.conv, name="embed")(x)
        size = (x.shape[1], x.shape[2])
        tokens = self._tokens(1, "class_token"), self._tokens(form.registers, "registers")
        position = self.param("position", INIT, (1, form.grid**2 + 1, form.width), jnp.float32)[0]
        places = resized(position[1:].reshape(form.grid, form.grid, -1), size, form.smooth)
        first = (tokens[0] + position[:1], tokens[1])
        first = [jnp.broadcast_to(t.astype(self.dtype)[None], (n, *t.shape)) for t in first]
        x = x.reshape(n, -1, form.width) + places.reshape(1, -1, form.width).astype(self.dtype)
        x = jnp.concatenate([*first, x], axis=1)
        for i in range(1, form.layers + 1):
            x = Block(form, self.dtype, name=f"block{i}")(x)
        x = layer_norm(self.dtype, "norm", form.epsilon)(x)
        parts = {"cls": x[:, 0], "mean": x[:, 1 + form.registers :].mean(1)}
        return jnp.concatenate(list(parts.values()), axis=-1) if self.pooling == "both" else parts[self.pooling]

    def _tokens(self, count: int, name: str) -> Array:
        """[count, width]."""
        if not count:
            return jnp.zeros((0, self.form.width), jnp.float32)
        return self.param(name, INIT, (1, count, self.form.width), jnp.float32)[0]


def _read(config: Mapping[str, Any]) -> Form:
    if not config.get("qkv_bias", True):
        raise UserError("dinov2: a config.json without qkv_bias is of another network than this one.")
    image, patch = (
        value if isinstance(value, int) else value[0] for value in (config["image_size"], config["patch_size"])
    )
    registered = config["model_type"] == "dinov2_with_registers"
    hidden, gated = int(config["hidden_size"] * config.get("mlp_ratio", 4)), config.get("use_swiglu_ffn", False)
    return Form(
        config["hidden_size"],
        config["num_hidden_layers"],
        config["num_attention_heads"],
        patch,
        image // patch,
        config.get("num_register_tokens", 4) if registered else 0,
        (int(hidden * 2 / 3) + 7) // 8 * 8 if gated else hidden,
        gated,
        registered,
        config.get("hidden_act", "gelu"),
        config.get("layer_norm_eps", 1e-6),
    )


USUAL = (384, 12, 6, 14, 518, 0)
"""Width, layers, heads, patch, image and registers of ViT-S/14."""


def dinov2(
    *,
    from_: str = "",
    pooling: str = "cls",
    width: int = 384,
    layers: int = 12,
    heads: int = 6,
    patch: int = 14,
    image: int = 518,
    registers: int = 0,
    bottleneck: int = 256,
    head: str = "linear",
) -> Recipe:
    """DINOv2, x [n, h, w, 1 or 3], multiples of the patch: without from a ViT-S/14 of 384 features, at random.

    from: a folder with config.json and model.safetensors, or its name on the hub ("facebook/dinov2-small",
    "facebook/dinov2-with-registers-base"): sizes and weights are those. image: px for which positions are stored, which
    are interpolated for other sizes; pooling: "cls" (the class token), "mean" (of the patches) or "both", side by side.
    """
    require("pooling", pooling, POOLING)
    given, begin = (width, layers, heads, patch, image, registers), None
    form = Form(width, layers, heads, patch, image // patch, registers, 4 * width, smooth=registers > 0)
    if from_:
        check_alone("dinov2", from_, given, USUAL)
        form, begin = published("dinov2", from_, _read), Pretrained(from_, files=("config.json",))
    check_stack("dinov2", form)
    make = lambda dtype, conv: Dinov2(form, pooling, dtype, conv)
    return Recipe(make, bottleneck, head, IMAGENET, begin)
