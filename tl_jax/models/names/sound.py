"""Names of the parameters of wav2vec 2.0, HuBERT, Whisper's encoder and the audio spectrogram transformer."""

import numpy as np

from tl_jax.models.names.layouts import SPLIT, Layout
from tl_jax.models.names.rules import Naming, Rule, fixed

PLACES = Layout(lambda arrays, shape: arrays[0].reshape(-1), lambda a: [a.reshape(1, 1, -1)])
"""[1, 1, width] <-> [width]."""


def _qkv(block: int, word: str) -> tuple[str, ...]:
    return tuple(f"encoder.layers.{block - 1}.attention.{part}_proj.{word}" for part in "qkv")


WAV2VEC2 = Naming(
    (
        Rule(r"extract/layer(\d+)/conv", lambda i: f"feature_extractor.conv_layers.{i - 1}.conv"),
        Rule(r"extract/layer(\d+)/norm", lambda i: f"feature_extractor.conv_layers.{i - 1}.layer_norm"),
        fixed("embed/norm1", "feature_projection.layer_norm"),
        fixed("embed/dense1", "feature_projection.projection"),
        fixed("embed/position/kernel", "encoder.pos_conv_embed.conv.weight_v"),
        fixed("embed/position/scale", "encoder.pos_conv_embed.conv.weight_g", PLACES),
        fixed("embed/position/bias", "encoder.pos_conv_embed.conv.bias"),
        fixed("(?:embed/norm2|norm)", "encoder.layer_norm"),
        Rule(r"block(\d+)/attention/qkv/kernel", lambda b: _qkv(b, "weight"), SPLIT),
        Rule(r"block(\d+)/attention/qkv/bias", lambda b: _qkv(b, "bias"), SPLIT),
        Rule(r"block(\d+)/attention/out", lambda b: f"encoder.layers.{b - 1}.attention.out_proj"),
        Rule(r"block(\d+)/norm1", lambda b: f"encoder.layers.{b - 1}.layer_norm"),
        Rule(r"block(\d+)/norm2", lambda b: f"encoder.layers.{b - 1}.final_layer_norm"),
        Rule(r"block(\d+)/dense1", lambda b: f"encoder.layers.{b - 1}.feed_forward.intermediate_dense"),
        Rule(r"block(\d+)/dense2", lambda b: f"encoder.layers.{b - 1}.feed_forward.output_dense"),
    ),
    "head",
    "wav2vec2.",
)
"""With the weight norm as published files have it; a head of these is on top of a projection, which is left out."""
PARAMETRISED = {"weight_v": "parametrizations.weight.original1", "weight_g": "parametrizations.weight.original0"}


def _parametrised(rule: Rule) -> Rule:
    if "position" not in rule.pattern:
        return rule
    name = str(rule.name())
    for old, new in PARAMETRISED.items():
        name = name.replace(old, new)
    return fixed(rule.pattern, name, rule.layout)


WAV2VEC2_STATE = WAV2VEC2._replace(rules=tuple(map(_parametrised, WAV2VEC2.rules)))
"""As `state_dict()` of PyTorch 2 says."""
HUBERT, HUBERT_STATE = (naming._replace(prefix="hubert.") for naming in (WAV2VEC2, WAV2VEC2_STATE))


def _query_value(arrays, shape: tuple[int, ...]) -> np.ndarray:
    query, value = arrays
    return np.concatenate([query, np.zeros_like(query), value])


def _whisper(block: int, part: str) -> str:
    return f"layers.{block - 1}.{part}"


QV = Layout(_query_value, lambda a: list(np.split(a, 3)[::2]))
"""Whisper's keys have no bias: one would change nothing, softmax being blind to what all keys share."""
WHISPER = Naming(
    (
        Rule(r"embed/conv(\d)", lambda k: f"conv{k}"),
        fixed("embed/position", "embed_positions.weight"),
        Rule(
            r"block(\d+)/attention/qkv/kernel",
            lambda b: tuple(_whisper(b, f"self_attn.{part}_proj.weight") for part in "qkv"),
            SPLIT,
        ),
        Rule(
            r"block(\d+)/attention/qkv/bias",
            lambda b: tuple(_whisper(b, f"self_attn.{part}_proj.bias") for part in "qv"),
            QV,
        ),
        Rule(r"block(\d+)/attention/out", lambda b: _whisper(b, "self_attn.out_proj")),
        Rule(r"block(\d+)/norm1", lambda b: _whisper(b, "self_attn_layer_norm")),
        Rule(r"block(\d+)/norm2", lambda b: _whisper(b, "final_layer_norm")),
        Rule(r"block(\d+)/dense(\d)", lambda b, k: _whisper(b, f"fc{k}")),
        fixed("norm", "layer_norm"),
    ),
    "head",
    "model.encoder.",
)


def _ast(block: int, part: str) -> str:
    return f"encoder.layer.{block - 1}.{part}"


def _ast_qkv(block: int, word: str) -> tuple[str, ...]:
    return tuple(_ast(block, f"attention.attention.{part}.{word}") for part in ("query", "key", "value"))


def _ast_state(block: int, word: str) -> tuple[str, ...]:
    return tuple(f"layers.{block - 1}.attention.{part}_proj.{word}" for part in "qkv")


AST = Naming(
    (
        fixed("embed/class_token", "embeddings.cls_token"),
        fixed("embed/distillation_token", "embeddings.distillation_token"),
        fixed("embed/position", "embeddings.position_embeddings"),
        fixed("embed/patches", "embeddings.patch_embeddings.projection"),
        fixed("norm", "layernorm"),
        Rule(r"block(\d+)/norm1", lambda b: _ast(b, "layernorm_before")),
        Rule(r"block(\d+)/norm2", lambda b: _ast(b, "layernorm_after")),
        Rule(r"block(\d+)/attention/qkv/kernel", lambda b: _ast_qkv(b, "weight"), SPLIT),
        Rule(r"block(\d+)/attention/qkv/bias", lambda b: _ast_qkv(b, "bias"), SPLIT),
        Rule(r"block(\d+)/attention/out", lambda b: _ast(b, "attention.output.dense")),
        Rule(r"block(\d+)/dense1", lambda b: _ast(b, "intermediate.dense")),
        Rule(r"block(\d+)/dense2", lambda b: _ast(b, "output.dense")),
    ),
    "head",
    "audio_spectrogram_transformer.",
)
AST_STATE = AST._replace(
    rules=(
        *AST.rules[:5],
        Rule(r"block(\d+)/norm1", lambda b: f"layers.{b - 1}.layernorm_before"),
        Rule(r"block(\d+)/norm2", lambda b: f"layers.{b - 1}.layernorm_after"),
        Rule(r"block(\d+)/attention/qkv/kernel", lambda b: _ast_state(b, "weight"), SPLIT),
        Rule(r"block(\d+)/attention/qkv/bias", lambda b: _ast_state(b, "bias"), SPLIT),
        Rule(r"block(\d+)/attention/out", lambda b: f"layers.{b - 1}.attention.o_proj"),
        Rule(r"block(\d+)/dense(\d)", lambda b, k: f"layers.{b - 1}.mlp.fc{k}"),
    )
)
"""As `state_dict()` of transformers 5 says."""
