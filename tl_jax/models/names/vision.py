"""Names of the parameters of DINOv2 and Swin."""

from tl_jax.models.names.layouts import SPLIT
from tl_jax.models.names.patch import BLOCK, VIT_HF, VIT_TIMM
from tl_jax.models.names.rules import Naming, Rule, fixed


def _gated(before: str, *names: str) -> Rule:
    return Rule(r"block(\d+)/gate(\d)", lambda b, k: f"{before}.{b - 1}.mlp.{names[k - 1]}")


DINOV2 = Naming(
    (
        fixed("class_token", "embeddings.cls_token"),
        fixed("registers", "embeddings.register_tokens"),
        fixed("position", "embeddings.position_embeddings"),
        *VIT_HF.rules[2:4],
        *VIT_HF.rules[6:9],
        Rule(r"block(\d+)/norm(\d)", lambda b, k: f"encoder.layer.{b - 1}.norm{k}"),
        Rule(r"block(\d+)/layer_scale(\d)", lambda b, k: f"encoder.layer.{b - 1}.layer_scale{k}.lambda1"),
        Rule(r"block(\d+)/dense(\d)", lambda b, k: f"encoder.layer.{b - 1}.mlp.fc{k}"),
        _gated("encoder.layer", "weights_in", "weights_out"),
    ),
    "classifier",
    "dinov2.",
)
DINOV2_REGISTERS = DINOV2._replace(prefix="dinov2_with_registers.")
DINOV2_TIMM = Naming(
    (
        fixed("class_token", "cls_token"),
        fixed("registers", "register_tokens"),
        fixed("position", "pos_embed"),
        *VIT_TIMM.rules[2:],
        Rule(r"block(\d+)/layer_scale(\d)", lambda b, k: f"blocks.{b - 1}.ls{k}.gamma"),
        _gated("blocks", "fc1", "fc2"),
    ),
    "head",
)
DINOV2_FACEBOOK = DINOV2_TIMM._replace(rules=(*DINOV2_TIMM.rules[:-1], _gated("blocks", "w12", "w3")))
"""Of the files beside the paper; timm's with registers have them, and their positions, in another form."""

SWIN = Naming(
    (
        fixed("conv1", "features.0.0"),
        fixed("norm1", "features.0.2"),
        fixed("norm2", "norm"),
        Rule(r"stage(\d+)/norm", lambda s: f"features.{2 * s - 2}.norm"),
        Rule(r"stage(\d+)/reduction", lambda s: f"features.{2 * s - 2}.reduction"),
        Rule(BLOCK + r"norm(\d)", lambda s, b, k: f"features.{2 * s - 1}.{b - 1}.norm{k}"),
        Rule(BLOCK + "attention/qkv", lambda s, b: f"features.{2 * s - 1}.{b - 1}.attn.qkv"),
        Rule(BLOCK + "attention/out", lambda s, b: f"features.{2 * s - 1}.{b - 1}.attn.proj"),
        Rule(
            BLOCK + "attention/position_bias",
            lambda s, b: f"features.{2 * s - 1}.{b - 1}.attn.relative_position_bias_table",
        ),
        Rule(BLOCK + r"dense(\d)", lambda s, b, k: f"features.{2 * s - 1}.{b - 1}.mlp.{3 * (k - 1)}"),
    ),
    "head",
)


def _timm(stage: int, block: int, name: str) -> str:
    return f"layers.{stage - 1}.blocks.{block - 1}.{name}"


SWIN_TIMM = Naming(
    (
        fixed("conv1", "patch_embed.proj"),
        fixed("norm1", "patch_embed.norm"),
        fixed("norm2", "norm"),
        Rule(r"stage(\d+)/norm", lambda s: f"layers.{s - 1}.downsample.norm"),
        Rule(r"stage(\d+)/reduction", lambda s: f"layers.{s - 1}.downsample.reduction"),
        Rule(BLOCK + r"norm(\d)", lambda s, b, k: _timm(s, b, f"norm{k}")),
        Rule(BLOCK + "attention/qkv", lambda s, b: _timm(s, b, "attn.qkv")),
        Rule(BLOCK + "attention/out", lambda s, b: _timm(s, b, "attn.proj")),
        Rule(BLOCK + "attention/position_bias", lambda s, b: _timm(s, b, "attn.relative_position_bias_table")),
        Rule(BLOCK + r"dense(\d)", lambda s, b, k: _timm(s, b, f"mlp.fc{k}")),
    ),
    "head.fc",
)
SWIN_MICROSOFT = Naming(
    (
        *SWIN_TIMM.rules[:3],
        Rule(r"stage(\d+)/norm", lambda s: f"layers.{s - 2}.downsample.norm"),
        Rule(r"stage(\d+)/reduction", lambda s: f"layers.{s - 2}.downsample.reduction"),
        *SWIN_TIMM.rules[5:],
    ),
    "head",
)
"""Of the files beside the paper: what halves the map ends a stage there."""


def _hf(stage: int, block: int, name: str) -> str:
    return f"encoder.layers.{stage - 1}.blocks.{block - 1}.{name}"


def _hf_qkv(stage: int, block: int, word: str) -> tuple[str, ...]:
    return tuple(_hf(stage, block, f"attention.self.{part}.{word}") for part in ("query", "key", "value"))


SWIN_HF = Naming(
    (
        fixed("conv1", "embeddings.patch_embeddings.projection"),
        fixed("norm1", "embeddings.norm"),
        fixed("norm2", "layernorm"),
        Rule(r"stage(\d+)/norm", lambda s: f"encoder.layers.{s - 2}.downsample.norm"),
        Rule(r"stage(\d+)/reduction", lambda s: f"encoder.layers.{s - 2}.downsample.reduction"),
        Rule(BLOCK + "norm1", lambda s, b: _hf(s, b, "layernorm_before")),
        Rule(BLOCK + "norm2", lambda s, b: _hf(s, b, "layernorm_after")),
        Rule(BLOCK + "attention/qkv/kernel", lambda s, b: _hf_qkv(s, b, "weight"), SPLIT),
        Rule(BLOCK + "attention/qkv/bias", lambda s, b: _hf_qkv(s, b, "bias"), SPLIT),
        Rule(BLOCK + "attention/out", lambda s, b: _hf(s, b, "attention.output.dense")),
        Rule(
            BLOCK + "attention/position_bias",
            lambda s, b: _hf(s, b, "attention.self.relative_position_bias_table"),
        ),
        Rule(BLOCK + "dense1", lambda s, b: _hf(s, b, "intermediate.dense")),
        Rule(BLOCK + "dense2", lambda s, b: _hf(s, b, "output.dense")),
    ),
    "classifier",
    "swin.",
)
