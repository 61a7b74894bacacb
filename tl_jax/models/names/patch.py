"""Names of the parameters of vision transformers and ConvNeXt."""

from tl_jax.models.names.layouts import CHANNELS, POSITIONS, SPLIT
from tl_jax.models.names.rules import Naming, Rule, fixed

VIT = Naming(
    (
        fixed("class_token", "class_token"),
        fixed("position", "encoder.pos_embedding", POSITIONS),
        fixed("embed", "conv_proj"),
        fixed("norm", "encoder.ln"),
        Rule(r"block(\d+)/norm(\d)", lambda b, k: f"encoder.layers.encoder_layer_{b - 1}.ln_{k}"),
        Rule(
            r"block(\d+)/attention/qkv/kernel",
            lambda b: f"encoder.layers.encoder_layer_{b - 1}.self_attention.in_proj_weight",
        ),
        Rule(
            r"block(\d+)/attention/qkv/bias",
            lambda b: f"encoder.layers.encoder_layer_{b - 1}.self_attention.in_proj_bias",
        ),
        Rule(r"block(\d+)/attention/out", lambda b: f"encoder.layers.encoder_layer_{b - 1}.self_attention.out_proj"),
        Rule(r"block(\d+)/dense(\d)", lambda b, k: f"encoder.layers.encoder_layer_{b - 1}.mlp.{3 * (k - 1)}"),
    ),
    "heads.head",
)
VIT_TIMM = Naming(
    (
        fixed("class_token", "cls_token"),
        fixed("position", "pos_embed", POSITIONS),
        fixed("embed", "patch_embed.proj"),
        fixed("norm", "norm"),
        Rule(r"block(\d+)/norm(\d)", lambda b, k: f"blocks.{b - 1}.norm{k}"),
        Rule(r"block(\d+)/attention/qkv", lambda b: f"blocks.{b - 1}.attn.qkv"),
        Rule(r"block(\d+)/attention/out", lambda b: f"blocks.{b - 1}.attn.proj"),
        Rule(r"block(\d+)/dense(\d)", lambda b, k: f"blocks.{b - 1}.mlp.fc{k}"),
    ),
    "head",
)


def _hf_qkv(block: int, word: str) -> tuple[str, ...]:
    return tuple(f"encoder.layer.{block - 1}.attention.attention.{part}.{word}" for part in ("query", "key", "value"))


VIT_HF = Naming(
    (
        fixed("class_token", "embeddings.cls_token"),
        fixed("position", "embeddings.position_embeddings", POSITIONS),
        fixed("embed", "embeddings.patch_embeddings.projection"),
        fixed("norm", "layernorm"),
        Rule(r"block(\d+)/norm1", lambda b: f"encoder.layer.{b - 1}.layernorm_before"),
        Rule(r"block(\d+)/norm2", lambda b: f"encoder.layer.{b - 1}.layernorm_after"),
        Rule(r"block(\d+)/attention/qkv/kernel", lambda b: _hf_qkv(b, "weight"), SPLIT),
        Rule(r"block(\d+)/attention/qkv/bias", lambda b: _hf_qkv(b, "bias"), SPLIT),
        Rule(r"block(\d+)/attention/out", lambda b: f"encoder.layer.{b - 1}.attention.output.dense"),
        Rule(r"block(\d+)/dense1", lambda b: f"encoder.layer.{b - 1}.intermediate.dense"),
        Rule(r"block(\d+)/dense2", lambda b: f"encoder.layer.{b - 1}.output.dense"),
    ),
    "classifier",
    "vit.",
)


def _qkv(block: int, word: str) -> tuple[str, ...]:
    return tuple(f"layers.{block - 1}.attention.{part}_proj.{word}" for part in "qkv")


VIT_TRANSFORMERS = Naming(
    (
        *VIT_HF.rules[:4],
        Rule(r"block(\d+)/norm1", lambda b: f"layers.{b - 1}.layernorm_before"),
        Rule(r"block(\d+)/norm2", lambda b: f"layers.{b - 1}.layernorm_after"),
        Rule(r"block(\d+)/attention/qkv/kernel", lambda b: _qkv(b, "weight"), SPLIT),
        Rule(r"block(\d+)/attention/qkv/bias", lambda b: _qkv(b, "bias"), SPLIT),
        Rule(r"block(\d+)/attention/out", lambda b: f"layers.{b - 1}.attention.o_proj"),
        Rule(r"block(\d+)/dense(\d)", lambda b, k: f"layers.{b - 1}.mlp.fc{k}"),
    ),
    "classifier",
    "vit.",
)
"""What `state_dict()` says since transformers 5; `save_pretrained` still writes the names above."""

BLOCK = r"stage(\d+)/block(\d+)/"
CONVNEXT = Naming(
    (
        fixed("conv1", "features.0.0"),
        fixed("norm1", "features.0.1"),
        fixed("norm2", "classifier.0"),
        Rule(r"stage(\d+)/norm", lambda s: f"features.{2 * s - 2}.0"),
        Rule(r"stage(\d+)/conv", lambda s: f"features.{2 * s - 2}.1"),
        Rule(BLOCK + "layer_scale", lambda s, b: f"features.{2 * s - 1}.{b - 1}.layer_scale", CHANNELS),
        Rule(BLOCK + "depthwise", lambda s, b: f"features.{2 * s - 1}.{b - 1}.block.0"),
        Rule(BLOCK + "norm", lambda s, b: f"features.{2 * s - 1}.{b - 1}.block.2"),
        Rule(BLOCK + r"dense(\d)", lambda s, b, k: f"features.{2 * s - 1}.{b - 1}.block.{2 * k + 1}"),
    ),
    "classifier.2",
)
CONVNEXT_TIMM = Naming(
    (
        fixed("conv1", "stem.0"),
        fixed("norm1", "stem.1"),
        fixed("norm2", "head.norm"),
        Rule(r"stage(\d+)/norm", lambda s: f"stages.{s - 1}.downsample.0"),
        Rule(r"stage(\d+)/conv", lambda s: f"stages.{s - 1}.downsample.1"),
        Rule(BLOCK + "layer_scale", lambda s, b: f"stages.{s - 1}.blocks.{b - 1}.gamma"),
        Rule(BLOCK + "depthwise", lambda s, b: f"stages.{s - 1}.blocks.{b - 1}.conv_dw"),
        Rule(BLOCK + "norm", lambda s, b: f"stages.{s - 1}.blocks.{b - 1}.norm"),
        Rule(BLOCK + r"dense(\d)", lambda s, b, k: f"stages.{s - 1}.blocks.{b - 1}.mlp.fc{k}"),
    ),
    "head.fc",
)


def _hf_layer(stage: int, block: int, name: str) -> str:
    return f"encoder.stages.{stage - 1}.layers.{block - 1}.{name}"


CONVNEXT_HF = Naming(
    (
        fixed("conv1", "embeddings.patch_embeddings"),
        fixed("norm1", "embeddings.layernorm"),
        fixed("norm2", "layernorm"),
        Rule(r"stage(\d+)/norm", lambda s: f"encoder.stages.{s - 1}.downsampling_layer.0"),
        Rule(r"stage(\d+)/conv", lambda s: f"encoder.stages.{s - 1}.downsampling_layer.1"),
        Rule(BLOCK + "layer_scale", lambda s, b: _hf_layer(s, b, "layer_scale_parameter")),
        Rule(BLOCK + "depthwise", lambda s, b: _hf_layer(s, b, "dwconv")),
        Rule(BLOCK + "norm", lambda s, b: _hf_layer(s, b, "layernorm")),
        Rule(BLOCK + r"dense(\d)", lambda s, b, k: _hf_layer(s, b, f"pwconv{k}")),
    ),
    "classifier",
    "convnext.",
)
