"""Names of the parameters of ResNet, VGG and MobileNetV2."""

from itertools import accumulate

from tl_jax.models.names.layouts import CONV_1X1, FLAT, FLAT_CONV
from tl_jax.models.names.rules import Naming, Rule, fixed

BLOCK = r"stage(\d+)/block(\d+)/"
RESNET = Naming(
    (
        fixed("conv1", "conv1"),
        fixed("norm1", "bn1"),
        Rule(BLOCK + r"conv(\d)", lambda s, b, k: f"layer{s}.{b - 1}.conv{k}"),
        Rule(BLOCK + r"norm(\d)", lambda s, b, k: f"layer{s}.{b - 1}.bn{k}"),
        Rule(BLOCK + "conv_skip", lambda s, b: f"layer{s}.{b - 1}.downsample.0"),
        Rule(BLOCK + "norm_skip", lambda s, b: f"layer{s}.{b - 1}.downsample.1"),
    ),
    "fc",
)
RESNET_HF = Naming(
    (
        fixed("conv1", "embedder.embedder.convolution"),
        fixed("norm1", "embedder.embedder.normalization"),
        Rule(BLOCK + r"conv(\d)", lambda s, b, k: f"encoder.stages.{s - 1}.layers.{b - 1}.layer.{k - 1}.convolution"),
        Rule(BLOCK + r"norm(\d)", lambda s, b, k: f"encoder.stages.{s - 1}.layers.{b - 1}.layer.{k - 1}.normalization"),
        Rule(BLOCK + "conv_skip", lambda s, b: f"encoder.stages.{s - 1}.layers.{b - 1}.shortcut.convolution"),
        Rule(BLOCK + "norm_skip", lambda s, b: f"encoder.stages.{s - 1}.layers.{b - 1}.shortcut.normalization"),
    ),
    "classifier.1",
    "resnet.",
)

VGG_CONVS = (0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28)
VGG_CONV = Rule(r"conv(\d+)", lambda k: f"features.{VGG_CONVS[k - 1]}")
VGG = Naming(
    (
        VGG_CONV,
        fixed("dense1/kernel", "classifier.0.weight", FLAT),
        Rule(r"dense(\d)", lambda k: f"classifier.{3 * (k - 1)}"),
    ),
    "classifier.6",
)
VGG_TIMM = Naming(
    (
        VGG_CONV,
        fixed("dense1/kernel", "pre_logits.fc1.weight", FLAT_CONV),
        fixed("dense2/kernel", "pre_logits.fc2.weight", CONV_1X1),
        Rule(r"dense(\d)", lambda k: f"pre_logits.fc{k}"),
    ),
    "head.fc",
)

INVERTED = ("expand", "depthwise", "project")
MOBILENET = Naming(
    (
        fixed("conv1", "features.0.0"),
        fixed("norm1", "features.0.1"),
        fixed("conv2", "features.18.0"),
        fixed("norm2", "features.18.1"),
        fixed("block1/depthwise", "features.1.conv.0.0"),
        fixed("block1/norm2", "features.1.conv.0.1"),
        fixed("block1/project", "features.1.conv.1"),
        fixed("block1/norm3", "features.1.conv.2"),
        Rule(r"block(\d+)/expand", lambda b: f"features.{b}.conv.0.0"),
        Rule(r"block(\d+)/norm1", lambda b: f"features.{b}.conv.0.1"),
        Rule(r"block(\d+)/depthwise", lambda b: f"features.{b}.conv.1.0"),
        Rule(r"block(\d+)/norm2", lambda b: f"features.{b}.conv.1.1"),
        Rule(r"block(\d+)/project", lambda b: f"features.{b}.conv.2"),
        Rule(r"block(\d+)/norm3", lambda b: f"features.{b}.conv.3"),
    ),
    "classifier.1",
)
MOBILENET_STARTS = tuple(accumulate((1, 2, 3, 4, 3, 3), initial=0))


def _timm_block(block: int) -> str:
    stage = max(s for s, start in enumerate(MOBILENET_STARTS) if start < block)
    return f"blocks.{stage}.{block - 1 - MOBILENET_STARTS[stage]}"


MOBILENET_TIMM = Naming(
    (
        fixed("conv1", "conv_stem"),
        fixed("norm1", "bn1"),
        fixed("conv2", "conv_head"),
        fixed("norm2", "bn2"),
        fixed("block1/depthwise", "blocks.0.0.conv_dw"),
        fixed("block1/norm2", "blocks.0.0.bn1"),
        fixed("block1/project", "blocks.0.0.conv_pw"),
        fixed("block1/norm3", "blocks.0.0.bn2"),
        Rule(r"block(\d+)/expand", lambda b: f"{_timm_block(b)}.conv_pw"),
        Rule(r"block(\d+)/depthwise", lambda b: f"{_timm_block(b)}.conv_dw"),
        Rule(r"block(\d+)/project", lambda b: f"{_timm_block(b)}.conv_pwl"),
        Rule(r"block(\d+)/norm(\d)", lambda b, k: f"{_timm_block(b)}.bn{k}"),
    ),
    "classifier",
)
HF_PARTS = ("expand_1x1", "conv_3x3", "reduce_1x1")


def _hf_block(block: int) -> str:
    return "conv_stem" if block == 1 else f"layer.{block - 2}"


MOBILENET_HF = Naming(
    (
        fixed("conv1", "conv_stem.first_conv.convolution"),
        fixed("norm1", "conv_stem.first_conv.normalization"),
        fixed("conv2", "conv_1x1.convolution"),
        fixed("norm2", "conv_1x1.normalization"),
        Rule(r"block(\d+)/expand", lambda b: f"{_hf_block(b)}.expand_1x1.convolution"),
        Rule(r"block(\d+)/depthwise", lambda b: f"{_hf_block(b)}.conv_3x3.convolution"),
        Rule(r"block(\d+)/project", lambda b: f"{_hf_block(b)}.reduce_1x1.convolution"),
        Rule(r"block(\d+)/norm(\d)", lambda b, k: f"{_hf_block(b)}.{HF_PARTS[k - 1]}.normalization"),
    ),
    "classifier",
    "mobilenet_v2.",
)
